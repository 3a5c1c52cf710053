import Testing

@testable import Mailing

/// Limits of single domains.
struct DomainPacesTests {
    private let boot = BootID("a")

    private func at(_ seconds: Int64) -> BootInstant { BootInstant(nanoseconds: seconds * 1_000_000_000) }

    private func pacer(_ rate: Int, now: Int64 = 0) -> Pacer {
        Pacer(messagesPerHour: rate, stored: nil, wasInFlight: false, bootID: boot, now: at(now))
    }

    @Test func `one message an hour is possible for a domain`() {
        var paces = DomainPaces()
        paces.limit("gmail.com", messagesPerHour: 1, pacer: pacer(1))
        #expect(paces.slots(now: at(5)) == ["gmail.com": at(5)])
        paces["gmail.com"]?.dotWritten(at: at(5))
        #expect(paces.slots(now: at(6)) == ["gmail.com": at(3605)])
    }

    @Test func `each domain has its own pace, and one that is not limited has none`() {
        var paces = DomainPaces()
        paces.limit("a.example", messagesPerHour: 60, pacer: pacer(60))
        paces.limit("b.example", messagesPerHour: 120, pacer: pacer(120))
        for domain in ["a.example", "b.example", "c.example"] { paces[domain]?.dotWritten(at: at(10)) }
        #expect(paces.slots(now: at(11)) == ["a.example": at(70), "b.example": at(40)])
        #expect(paces["c.example"] == nil)
        paces["c.example"] = pacer(60)
        #expect(paces["c.example"] == nil, "only by a limit")
    }

    @Test func `a limit that changes keeps its last dot, and one that is taken away is gone`() {
        var paces = DomainPaces()
        paces.limit("a.example", messagesPerHour: 60, pacer: pacer(60))
        paces["a.example"]?.dotWritten(at: at(10))
        paces.change("a.example", messagesPerHour: 30)
        paces.change("b.example", messagesPerHour: 30)
        #expect(paces.rates == ["a.example": 30])
        #expect(paces.slots(now: at(11)) == ["a.example": at(130)])
        paces.keep(only: ["b.example"])
        #expect(paces.rates == [:])
        #expect(paces.slots(now: at(11)) == [:])
    }
}
