import Foundation
import Ledger
import Mailing
import TestSupport
import Testing

@testable import Daemon

struct RegistrarTests {
    private let fixture: DaemonFixture

    init() throws { fixture = try DaemonFixture() }

    /// Imports a list as the intake does.
    private func run(
        _ id: String, list: String, group: String? = nil, consentColumn: String? = "Nieuwsbrief"
    ) async throws -> (counts: [String: Int], warnings: [String]) {
        let json = JobText.contacts(id, group: group, consentColumn: consentColumn)
        guard case .contacts(let job) = try fixture.job(json) else { throw TestSupportError("this is no import") }
        let directory = try fixture.directory.makeDirectory(id)
        try fixture.directory.write(list, to: "\(id)/list.csv")
        if try await fixture.ledger.job(job.id) == nil {
            try await fixture.ledger.begin(
                job: .contacts(job), sha256: id, receipt: id, claim: id, now: fixture.clock.wall)
        }
        var registrar = Registrar(context: fixture.context, job: job, directory: directory)
        return try await registrar.run()
    }

    private func status(_ address: String) async throws -> ConsentStatus? {
        try await fixture.ledger.consentStatus(try AddressText.read(address), purpose: JobText.purpose)
    }

    @Test func `what the list says of consent is believed, and what it does not say is not`() async throws {
        let list = "email,Nieuwsbrief\na@people.example,J\nb@people.example,N\nc@people.example,\nd@people.example,j\n"
        let done = try await run("i", list: list)
        #expect(try await status("a@people.example") == .accepted)
        #expect(try await status("b@people.example") == .refused)
        #expect(try await status("c@people.example") == .notAsked)
        #expect(try await status("d@people.example") == .notAsked)
        #expect(try await status("e@people.example") == nil)
        #expect(done.counts["rows"] == 4)
        #expect(done.counts["added"] == 4)
        #expect(done.counts["accepted"] == 1)
        #expect(done.counts["refused"] == 1)
        #expect(try await fixture.ledger.job(try #require(JobID("i")))?.isFinished == true)
    }

    @Test func `an import can never turn a refusal into consent`() async throws {
        _ = try await run("one", list: "email,Nieuwsbrief\na@people.example,N\n")
        let done = try await run("two", list: "email,Nieuwsbrief\na@people.example,J\n")
        #expect(try await status("a@people.example") == .refused)
        #expect(done.counts["updated"] == 1)
        #expect(done.counts["withoutEffect"] == 1)
    }

    @Test func `an import without a column of consent asks nobody and claims nothing`() async throws {
        let done = try await run("i", list: "email,Nieuwsbrief\na@people.example,J\n", consentColumn: nil)
        #expect(try await status("a@people.example") == .notAsked)
        #expect(done.counts["accepted"] == nil)
    }

    @Test func `rows that cannot be used are counted, and named by their line`() async throws {
        let done = try await run("i", list: "email,Nieuwsbrief\nnobody,J\na@people.example,J\n")
        #expect(done.counts["invalid"] == 1)
        #expect(done.counts["added"] == 1)
        #expect(done.warnings.count == 1)
        #expect(done.warnings.first?.hasPrefix("list.csv, line 2: “nobody” is no address: ") == true)
    }

    @Test func `no more than a hundred bad rows are named one by one`() async throws {
        let rows = (1...150).map { "nobody\($0),J" }.joined(separator: "\n")
        let done = try await run("i", list: "email,Nieuwsbrief\n\(rows)\n")
        #expect(done.counts["invalid"] == 150)
        #expect(done.warnings.count == 101)
        #expect(done.warnings.last == "50 more rows could not be used")
    }

    @Test func `more rows than fit into one transaction are all registered, in their group`() async throws {
        let rows = (1...1001).map { "r\($0)@people.example,J" }.joined(separator: "\n")
        let done = try await run("i", list: "email,Nieuwsbrief\n\(rows)\n", group: "readers")
        #expect(done.counts["added"] == 1001)
        let number = try await fixture.plan(JobText.campaign("c", to: [.group("readers")])).number
        #expect(try await fixture.summary(number).counts.queued == 1001)
    }

    @Test func `after a crash the import begins anew and changes nothing twice`() async throws {
        let list = "email,Nieuwsbrief\na@people.example,J\n"
        _ = try await run("i", list: list)
        try await fixture.withdraw("a@people.example")
        _ = try await run("i", list: list)
        #expect(try await status("a@people.example") == .refused)
        #expect(try await fixture.ledger.firstBrokenConsentEvent() == nil)
    }

    @Test func `the value of the consent column is no attribute`() async throws {
        _ = try await run("i", list: "email,Nieuwsbrief,town\na@people.example,J,Gieten\n")
        let json = JobText.campaign("c", to: [.address("a@people.example")], subject: "{{town}}")
        #expect(try await fixture.summary(try await fixture.plan(json).number).counts.queued == 1)
        let other = JobText.campaign("d", to: [.address("a@people.example")], subject: "{{Nieuwsbrief}}")
        #expect(try await fixture.summary(try await fixture.plan(other).number).withheld == ["missingField": 1])
    }

    @Test func `a stop in the middle leaves the import to be done`() async throws {
        fixture.context.stopping.set()
        await #expect(throws: Expander.Stopped.self) {
            try await run("i", list: "email,Nieuwsbrief\na@people.example,J\n")
        }
        #expect(try await fixture.ledger.job(try #require(JobID("i")))?.isFinished == false)
    }
}
