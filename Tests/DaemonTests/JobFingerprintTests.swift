import Mailing
import TestSupport
import Testing

@testable import Daemon
@testable import Spool

/// `JobReview.fingerprint`: the same mailing under another id.
struct JobFingerprintTests {
    private let campaign: Campaign
    private let files = [Inspection.File(path: "list.csv", size: 3, sha256: "aa")]

    init() throws {
        let json = JobText.campaign(
            "c", to: [.list("list.csv"), .group("readers"), .address("a@people.example")],
            extra: ["defaults": ["name": "reader"]])
        guard
            case .success(.campaign(let campaign)) = JobReader.read(
                Array(json.utf8), file: "job.json", form: .bundle)
        else { throw TestSupportError("this is no campaign") }
        self.campaign = campaign
    }

    private func fingerprint(_ change: (inout Campaign) -> Void = { _ in }) -> String {
        var changed = campaign
        change(&changed)
        return JobReview.fingerprint(changed, files: files)
    }

    @Test func `another id makes no difference`() throws {
        let id = try #require(JobID("other"))
        #expect(fingerprint { $0.id = id } == fingerprint())
    }

    @Test func `who is told of the end makes no difference`() throws {
        let address = try AddressText.read("chief@library.example")
        #expect(fingerprint { $0.reportTo = address } == fingerprint())
    }

    @Test func `the order of defaults makes no difference, and job json is not counted`() {
        let first = fingerprint { $0.defaults = ["a": "1", "b": "2"] }
        #expect(fingerprint { $0.defaults = ["b": "2", "a": "1"] } == first)
        let with = JobReview.fingerprint(
            campaign, files: files + [Inspection.File(path: "job.json", size: 1, sha256: "bb")])
        #expect(with == fingerprint())
    }

    @Test func `every other change makes another mailing`() throws {
        let address = try AddressText.read("other@library.example")
        let window = try #require(SendingWindow(days: [.mon], from: 0, to: 60, timeZone: "UTC"))
        let moment = try #require(Timestamp(rfc3339: "2025-07-01T00:00:00Z"))
        let changes: [(inout Campaign) -> Void] = [
            { $0.purpose = "agenda" }, { $0.basis = .service }, { $0.justification = "contract" },
            { $0.sender.name = "Library" }, { $0.sender.name = nil }, { $0.sender.address = address },
            { $0.replyTo = address }, { $0.reason = "because" }, { $0.subject = "Other" },
            { $0.text = .inline("Other") }, { $0.text = .file("Other") }, { $0.text = nil },
            { $0.html = .inline("<p>Other</p>") }, { $0.attachments = ["a.pdf"] }, { $0.defaults = [:] },
            { $0.defaults["name"] = "other" }, { $0.defaults["town"] = "Gieten" },
            { $0.recipients.removeLast() }, { $0.recipients.swapAt(0, 1) }, { $0.recipients.append(.group("others")) },
            { $0.test = Campaign.Test(recipients: [address], needsApproval: false) },
            { $0.test = Campaign.Test(recipients: [address], needsApproval: true) }, { $0.sendAfter = moment },
            { $0.expires = moment }, { $0.relays = ["default"] }, { $0.windows = [window] },
        ]
        let all = changes.map { change in fingerprint { change(&$0) } } + [fingerprint()]
        #expect(Set(all).count == changes.count + 1)
    }

    @Test func `other content of a file makes another mailing`() {
        let other = [
            [], [Inspection.File(path: "list.csv", size: 3, sha256: "ab")],
            [Inspection.File(path: "other.csv", size: 3, sha256: "aa")],
            files + [Inspection.File(path: "more.csv", size: 3, sha256: "aa")],
        ]
        let all = other.map { JobReview.fingerprint(campaign, files: $0) } + [fingerprint()]
        #expect(Set(all).count == other.count + 1)
    }

    @Test func `values cannot slip from one field into the next`() {
        #expect(
            fingerprint {
                $0.reason = "ab"
                $0.subject = "c"
            }
                != fingerprint {
                    $0.reason = "a"
                    $0.subject = "bc"
                })
    }
}
