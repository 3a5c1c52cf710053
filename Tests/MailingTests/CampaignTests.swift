import Mailing
import Testing

@Suite struct `A campaign` {
    @Test func `is given up after seven days if its job does not say when`() {
        #expect(Campaign.defaultLifetime == 604_800)
    }

    @Test func `shows itself to at most five people before it goes out`() {
        #expect(Campaign.testRecipientLimit == 5)
    }

    @Test func `that equals one of the last seven days waits for approval`() {
        #expect(Campaign.repeatWindow == 604_800)
    }

    @Test func `has one of three grounds, by the words of the job file`() {
        #expect(Campaign.Basis.allCases.map(\.rawValue) == ["consent", "service", "consentRequest"])
    }
}
