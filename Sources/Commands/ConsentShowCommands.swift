import ArgumentParser
import Daemon
import Ledger
import Mailing
import Spool

struct ConsentShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows what an address may be sent, purpose by purpose.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "The address.")
    var address: String

    func run() async throws {
        try await CommandFailure.reported {
            let person = try ConsentCommands.address(address)
            let ledger = try common.ledger(of: try common.configuration().ledgerPath)
            let contact = try CommandFailure.asking { () throws(LedgerError) in try ledger.consent(of: person) }
            var suppression = ConsentView.Suppression.unknown
            do throws(LedgerError) {
                suppression = .known(try ledger.suppression(of: person))
            } catch {
                Terminal.complain("campaignctl: it cannot be told whether the address is suppressed: \(error)")
            }
            common.show(ConsentView(address: person.text, contact: contact, suppression: suppression))
        }
    }
}

struct ConsentHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Shows all that was ever recorded about an address, and whether the record is whole.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "The address.")
    var address: String

    func run() async throws {
        let isWhole = try await CommandFailure.reported {
            let person = try ConsentCommands.address(address)
            let ledger = try common.ledger(of: try common.configuration().ledgerPath)
            let events = try CommandFailure.asking { () throws(LedgerError) in try ledger.consentHistory(of: person) }
            var chain = ConsentHistory.Chain.whole
            do throws(LedgerError) {
                if let broken = try ledger.firstBrokenConsentEvent() { chain = .broken(broken) }
            } catch {
                chain = .unchecked(error.description)
            }
            common.show(ConsentHistory(address: person.text, events: events, chain: chain))
            if case .broken = chain { return false }
            return true
        }
        if !isWhole { throw ExitCode(CommandFailure.Status.refused.rawValue) }
    }
}

enum ConsentCommands {
    static func address(_ text: String) throws(CommandFailure) -> EmailAddress {
        do throws(EmailAddress.Invalid) {
            return try AddressText.read(text)
        } catch {
            throw CommandFailure("“\(text)” is no address: \(error)")
        }
    }
}

struct ConsentView: Report {
    enum Suppression {
        case known(SuppressionRecord?)
        /// The key may not be read.
        case unknown
    }

    let address: String
    let contact: ContactConsent?
    let suppression: Suppression

    private var record: SuppressionRecord? {
        if case .known(let record) = suppression { record } else { nil }
    }

    var lines: [String] {
        var rows = [["address", contact?.address ?? address]]
        if let contact {
            rows.append(["registered", ReportText.time(contact.registeredAt)])
            if !contact.groups.isEmpty { rows.append(["groups", contact.groups.joined(separator: ", ")]) }
            rows += contact.standings.map { standing in
                [standing.purpose, "\(standing.status.rawValue) since \(ReportText.time(standing.since))"]
            }
            if contact.standings.isEmpty { rows.append(["consent", "was never asked for"]) }
        } else {
            rows.append(["registered", "no: it is sent nothing on the basis of consent"])
        }
        switch suppression {
        case .known(let record?):
            rows.append(["suppressed", "\(record.reason) since \(ReportText.time(record.since)): it is sent nothing"])
        case .known(nil): break
        case .unknown: rows.append(["suppressed", "not known: run this as root or as campaignd"])
        }
        return ReportText.table(rows)
    }

    var json: JSONText {
        let standings = (contact?.standings ?? []).map { standing in
            JSONText.object([
                ("purpose", .string(standing.purpose)), ("status", .string(standing.status.rawValue)),
                ("since", .time(standing.since)), ("event", .number(standing.event)),
            ])
        }
        let isKnown: JSONText = if case .known = suppression { .bool(record != nil) } else { .null }
        return .object([
            ("address", .string(contact?.address ?? address)), ("registered", .bool(contact != nil)),
            ("registeredAt", .time(contact?.registeredAt)),
            ("groups", .array((contact?.groups ?? []).map { .string($0) })), ("consent", .array(standings)),
            ("suppressed", isKnown), ("suppressedBecause", .text(record?.reason)),
            ("suppressedSince", .time(record?.since)),
        ])
    }
}

struct ConsentHistory: Report {
    enum Chain {
        case whole
        /// The number of the first event that does not fit.
        case broken(Int64)
        case unchecked(String)
    }

    let address: String
    let events: [RecordedConsentEvent]
    let chain: Chain

    var lines: [String] {
        let told = events.flatMap { event in
            [
                "\(ReportText.time(event.event.at))  \(event.purpose)  \(event.event.kind.rawValue) by "
                    + "\(event.event.by.rawValue)",
                "  source: \(event.source); job \(event.job); recorded \(ReportText.time(event.event.recordedAt)), "
                    + "event \(event.number)",
            ] + (event.text.map { ["  text: \($0)"] } ?? [])
        }
        let verdict =
            switch chain {
            case .whole: "the record is whole: no event of the ledger was changed"
            case .broken(let number):
                "THE RECORD WAS CHANGED: event \(number) of the ledger is the first that does not fit"
            case .unchecked(let why): "it was not checked whether the record is whole: \(why)"
            }
        return (told.isEmpty ? ["nothing was ever recorded about \(address)"] : told) + [verdict]
    }

    var json: JSONText {
        let (isWhole, broken, why): (JSONText, JSONText, String?) =
            switch chain {
            case .whole: (.bool(true), .null, nil)
            case .broken(let number): (.bool(false), .number(number), nil)
            case .unchecked(let why): (.null, .null, why)
            }
        let told = events.map { event in
            JSONText.object([
                ("event", .number(event.number)), ("purpose", .string(event.purpose)),
                ("kind", .string(event.event.kind.rawValue)), ("by", .string(event.event.by.rawValue)),
                ("at", .time(event.event.at)), ("recordedAt", .time(event.event.recordedAt)),
                ("source", .string(event.source)), ("text", .text(event.text)), ("job", .string(event.job)),
            ])
        }
        return .object([
            ("address", .string(address)), ("events", .array(told)), ("chainWhole", isWhole),
            ("firstBrokenEvent", broken), ("notCheckedBecause", .text(why)),
        ])
    }
}
