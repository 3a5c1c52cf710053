import TestSupport
import Testing

/// The judge of the simulation, by records that no daemon made.
struct JudgeTests {
    private static let second: Int64 = 1_000_000_000

    /// Anna and Bert got their message; Carl had withdrawn.
    private static func record() throws -> (record: Record, scenario: Scenario) {
        let scenario = try Scenario(Scenarios.small)
        var record = Record()
        record.isComplete = true
        record.tables = [Record.Tables(relays: scenario.relays, writtenAt: 0, inForceAt: 0)]
        record.withdrawals = ["withdrawal": Record.Withdrawal(address: "carl@readers.example", seenAt: 3 * second)]
        record.dots = [dot("anna", at: 10), dot("bert", at: 20)]
        record.steps = [1]
        set(&record, state: "finished", rows: ["anna": "sent", "bert": "sent", "carl": "withheld"])
        return (record, scenario)
    }

    private static func dot(_ name: String, at seconds: Int64, isTaken: Bool = true) -> SimulatedRelay.Dot {
        SimulatedRelay.Dot(
            relay: "one", recipient: Scenario.address(name), campaign: "news", at: seconds * second,
            wall: Moment.start.wall, isTaken: isTaken, mayRepeat: false)
    }

    private static func set(
        _ record: inout Record, state: String, rows: [String: String], because: String? = nil, counted: Int = 0
    ) {
        record.recipients["news"] = rows.map { ["address": Scenario.address($0.key), "state": $0.value] }
        var counts = Dictionary(grouping: rows.values) { $0 }.mapValues { JSONValue.integer($0.count) }
        counts["recipients"] = .integer(rows.count + counted)
        var json: [String: JSONValue] = ["state": .string(state), "counts": .object(counts)]
        json["pausedBecause"] = because.map { .string($0) }
        record.receipts["news"] = JobReceipt(json: .object(json))
    }

    private static func resend(_ address: String? = nil, at seconds: Int64, isRejected: Bool = false) -> Record.Control
    {
        Record.Control(
            action: "settle", campaign: "news", settlement: "resend", address: address, droppedAt: seconds * second,
            seenAt: (seconds + 1) * second, isRejected: isRejected)
    }

    /// What the judge says of the record after a change.
    private func verdict(_ change: (inout Record) -> Void) throws -> String {
        var (record, scenario) = try Self.record()
        change(&record)
        return Judge.judge(record, of: scenario).description
    }

    @Test func `a good record has nothing against it`() throws {
        #expect(try verdict { _ in } == "")
    }

    @Test func `doubt needs silence, or a crash just after the dot`() throws {
        let doubt = { (record: inout Record) in
            Self.set(&record, state: "finished", rows: ["anna": "uncertain", "bert": "sent", "carl": "withheld"])
        }
        #expect(try verdict(doubt).contains("anna@readers.example is uncertain in news without a cause"))
        for (crash, isCause) in [(9, false), (10, true), (15, false)] {
            let words = try verdict { record in
                doubt(&record)
                record.crashedAt = [Int64(crash) * Self.second + Self.second / 200]
                record.doubtsOfCrashes = 1
            }
            #expect(words.contains("without a cause") != isCause, "a crash at \(crash) s")
        }
        let silent = try verdict { record in
            doubt(&record)
            record.dots[0].isSilent = true
        }
        #expect(silent == "")
    }

    @Test func `more doubts than crashes explain are found`() throws {
        let words = try verdict { record in
            Self.set(&record, state: "finished", rows: ["anna": "uncertain", "bert": "uncertain", "carl": "withheld"])
            record.crashedAt = [10, 20].map { $0 * Self.second }
            record.doubtsOfCrashes = 1
        }
        #expect(words.contains("2 are uncertain whose relay was not silent"))
    }

    @Test(arguments: ["withheld", "bounced", "cancelled", "expired"])
    func `whoever is left out has a cause`(state: String) throws {
        let words = try verdict { record in
            Self.set(&record, state: "finished", rows: ["anna": "sent", "bert": state, "carl": "withheld"])
            record.dots.removeLast()
        }
        #expect(words.contains("loss: bert@readers.example is \(state) in news"))
    }

    @Test(arguments: ["paused", "held", "rejected", "running"])
    func `a campaign that has not ended has a cause`(state: String) throws {
        let words = try verdict {
            Self.set(&$0, state: state, rows: [:], because: "the ledger was restored from an older copy")
        }
        #expect(words.contains("news is \(state) without a cause"))
    }

    @Test func `figures that are not those of the rows are found`() throws {
        let words = try verdict {
            Self.set(
                &$0, state: "finished", rows: ["anna": "sent", "bert": "sent", "carl": "withheld"], counted: 1)
        }
        #expect(words.contains("loss: news counts"))
    }

    @Test func `a dot to somebody who never agreed is found, also where the campaign has not ended`() throws {
        let words = try verdict { record in
            record.dots.append(Self.dot("stranger", at: 40))
            Self.set(&record, state: "paused", rows: [:], because: "2 are uncertain")
        }
        #expect(words.contains("stranger@readers.example never agreed"))
    }

    @Test func `a second dot is pardoned by whoever asked for it in between, and by nobody else`() throws {
        let pardons: [(Record.Control?, isGood: Bool)] = [
            (nil, false), (Self.resend(at: 15), true), (Self.resend("anna@readers.example", at: 15), true),
            (Self.resend("bert@readers.example", at: 15), false), (Self.resend(at: 35), false),
            (Self.resend(at: 5), false), (Self.resend(at: 15, isRejected: true), false),
        ]
        for (control, isGood) in pardons {
            let words = try verdict { record in
                record.dots[0].isTaken = false
                record.dots.append(Self.dot("anna", at: 30))
                record.controls["settle"] = control
            }
            #expect(words.isEmpty == isGood, "\(String(describing: control)): \(words)")
        }
    }
}
