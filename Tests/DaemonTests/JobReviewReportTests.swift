import Mailing
import TestSupport
import Testing

@testable import Daemon

/// Who may have whom told of the end of a campaign.
struct JobReviewReportTests {
    private let stranger = Account(uid: 4711)
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture() }

    private func campaign(_ to: String, replyTo: String? = nil) -> String {
        var extra: [String: TestSupport.JSONValue] = ["report": ["to": .string(to)]]
        extra["replyTo"] = replyTo.map { .string($0) }
        return JobText.campaign("c", to: [.address("reader@people.example")], extra: extra)
    }

    private func pointers(
        _ json: String, by account: Account = Account(uid: 4711), _ table: Submitters? = nil,
        senders: [AddressPattern] = []
    ) throws -> [String?] {
        try fixture.review(json, by: account) { configuration in
            if let table { configuration.submitters = [table] }
            configuration.relays["default"]?.senders = senders
        }.errors.map(\.pointer)
    }

    @Test func `a report goes to the sender of the mailing`() throws {
        #expect(try pointers(campaign("News@Library.example")) == [])
    }

    @Test func `a report to somebody else is refused at its place, and what is permitted is named`() throws {
        let errors = try fixture.review(campaign("victim@people.example"), by: stranger).errors
        #expect(errors.map(\.pointer) == ["/report/to"])
        #expect(
            errors.first?.message == "the user 4711 may have reports sent to “news@library.example” only "
                + "([submitters.everybody]); ask the administrator")
    }

    @Test func `nobody may drop what looks like a report, since that chooses its relay by itself`() throws {
        func job(_ id: String, purpose: String) -> String {
            JobText.campaign(
                id, to: [.address("reader@people.example")], basis: "service", extra: ["purpose": .string(purpose)])
        }
        let table = Submitters(name: "a", users: [4711], bases: [.service])
        let purpose = ClosingReport.purpose
        #expect(try pointers(job("c.report-0123456789abcdef", purpose: purpose), table) == ["/purpose"])
        #expect(try pointers(job("c.report-0123456789abcdef", purpose: "news"), table) == [])
        #expect(try pointers(job("c", purpose: purpose), table) == [])
        #expect(try pointers(job("c.report-0123456789abcdef", purpose: purpose), by: Account(uid: 4000)) == [])
    }

    @Test(arguments: [UInt32(0), 4000])
    func `root and the daemon's own user may have it sent to anybody`(uid: UInt32) throws {
        #expect(try pointers(campaign("chief@people.example"), by: Account(uid: uid)) == [])
    }

    @Test func `a table names to whom reports may go besides`() throws {
        let patterns = ["chief@people.example", "*@branch.example"].compactMap { AddressPattern($0) }
        let table = Submitters(name: "a", users: [4711], reportsTo: patterns)
        for to in ["chief@people.example", "anybody@branch.example", "news@library.example"] {
            #expect(try pointers(campaign(to), table) == [])
        }
        #expect(try pointers(campaign("other@people.example"), table) == ["/report/to"])
        let errors = try fixture.review(campaign("other@people.example"), by: stranger) { $0.submitters = [table] }
            .errors
        let words = "“news@library.example”, “chief@people.example”, “*@branch.example” only ([submitters.a])"
        #expect(errors.first?.message.contains(words) == true)
    }

    @Test func `a report goes to the reply address where that could be the sender too`() throws {
        let json = campaign("desk@library.example", replyTo: "desk@library.example")
        let library = ["*@library.example"].compactMap { AddressPattern($0) }
        #expect(try pointers(json) == ["/report/to"], "nobody has said who could be")
        #expect(try pointers(json, senders: library) == [])
        #expect(try pointers(json, Submitters(name: "a", users: [4711], senders: library)) == [])
        #expect(try pointers(json, Submitters(name: "a", users: [4711], senders: library), senders: library) == [])
        #expect(try pointers(campaign("desk@library.example")) == ["/report/to"], "it is not where answers go")
    }

    @Test func `a reply address that the submitter could not send from gets no report`() throws {
        let json = campaign("victim@people.example", replyTo: "victim@people.example")
        let library = ["*@library.example"].compactMap { AddressPattern($0) }
        let table = Submitters(name: "a", users: [4711], senders: library)
        #expect(try pointers(json, table) == ["/report/to"], "the table does not permit it")
        #expect(try pointers(json, senders: library) == ["/report/to"], "the relay does not carry it")
    }

    @Test func `a report to an address that cannot be sent to yet is refused, whoever asks`() throws {
        let errors = try fixture.review(campaign("jörg@library.example"), by: Account(uid: 0)).errors
        #expect(errors.map(\.pointer) == ["/report/to"])
        #expect(errors.first?.message.contains("only ASCII before the @") == true)
    }
}
