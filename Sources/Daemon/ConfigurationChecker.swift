import Foundation
import MIME
import Mailing
import Relay

/// Turns the file as written into a configuration, collecting every mistake.
struct ConfigurationChecker {
    let text: String
    let path: String
    let names: AccountNames
    private(set) var mistakes: [String] = []
    /// How many of them only say that something cannot be found out now.
    private var unanswered = 0

    init(text: String, path: String, names: AccountNames) {
        self.text = text
        self.path = path
        self.names = names
    }

    /// There is no other mistake than that something cannot be found out now.
    var mayPass: Bool { unanswered > 0 && unanswered == mistakes.count }

    mutating func check(_ document: ConfigurationDocument) -> Configuration? {
        if document.relays.isEmpty { refuse("relays", "at least one relay is needed, e.g. [relays.default]") }
        var relays: [String: Configuration.Relay] = [:]
        for (name, section) in document.relays.sorted(by: { $0.key < $1.key }) {
            relays[name] = check(relay: name, section)
        }
        let sending = document.sending
        if let rate = sending?.messages_per_hour { checkRate(rate, key: "sending.messages_per_hour") }
        let pause = sending?.pause_after_uncertain ?? 20
        if pause < 0 { refuse("sending.pause_after_uncertain", "must be 0 (never) or more") }
        let renewal = document.consent?.renewal_days ?? 365
        if renewal < 1 { refuse("consent.renewal_days", "must be at least 1") }
        let configuration = Configuration(
            spoolDirectory: absolute(document.spool.directory), ledgerPath: absolute(document.ledger.path),
            presetsDirectory: document.presets.map { absolute($0.directory) }
                ?? PresetsDirectory.standard(beside: absolute("presets")),
            relays: relays,
            messagesPerHour: sending?.messages_per_hour,
            testRecipients: patterns(sending?.test_recipients ?? [], key: "sending.test_recipients"),
            pauseAfterUncertain: pause, retries: retries(sending), holdAfterDowntime: downtime(sending),
            bounceAddress: bounceAddress(sending),
            unsubscribeURL: unsubscribeURL(sending), language: language(sending), renewalDays: renewal,
            recipientChannels: numbers(
                document.consent?.recipient_channels ?? [], of: "user", key: "consent.recipient_channels",
                look: names.user),
            submitters: submitters(document.submitters ?? [:], relays: Set(document.relays.keys)),
            showsAddresses: showsAddresses(document.journal),
            postfixUser: document.journal?.postfix_user ?? "postfix", metricsFile: metricsFile(document.metrics))
        return mistakes.isEmpty ? configuration : nil
    }

    private mutating func check(
        relay name: String, _ section: ConfigurationDocument.RelaySection
    ) -> Configuration.Relay {
        let key = "relays.\(name)"
        let isName = name.utf8.count <= 64 && JobID.isValid(name) && !name.contains(".")
        if !isName { refuse(key, "the name of a relay consists of letters, digits, - and _") }
        checkRate(section.messages_per_hour, key: key + ".messages_per_hour")
        if section.password_credential != nil, section.password_file != nil {
            refuse(key + ".password_file", "give either password_credential or password_file")
        }
        let hasPassword = section.password_credential != nil || section.password_file != nil
        if hasPassword != (section.username != nil) {
            refuse(key + ".username", "username and a password (password_credential) go together")
        }
        for (seconds, word) in [
            (section.connect_timeout, "connect_timeout"), (section.final_reply_timeout, "final_reply_timeout"),
            (section.idle_timeout, "idle_timeout"),
        ] {
            if let seconds, !(1...3600).contains(seconds) { refuse("\(key).\(word)", "must be 1 ... 3600 seconds") }
        }
        if let tls = section.tls, tls != "required" { refuse(key + ".tls", "the only value is \"required\"") }
        do throws(RelayURLError) {
            _ = try RelayURL.parse(url: section.url)
        } catch {
            refuse(key + ".url", "\(error)")
        }
        return Configuration.Relay(
            url: relayURL(section.url), messagesPerHour: section.messages_per_hour, username: section.username,
            passwordCredential: section.password_credential,
            passwordFile: section.password_file.map { absolute($0) },
            senders: patterns(section.senders ?? [], key: key + ".senders"),
            certificateAuthorityFile: section.ca_file.map { absolute($0) },
            requiresTLS: section.tls == "required" ? true : nil, helloName: section.hello_name,
            connectSeconds: section.connect_timeout ?? 60, finalReplySeconds: section.final_reply_timeout ?? 600,
            idleSeconds: section.idle_timeout ?? 15, idempotencyHeader: idempotencyHeader(section, key: key),
            idempotencySeconds: Int64(section.idempotency_hours ?? 24) * 3600,
            settlesByJournal: settlesByJournal(section, key: key),
            window: section.window.flatMap { window($0, key: key + ".window") },
            domains: domains(section, key: key + ".domains"))
    }

    private mutating func idempotencyHeader(
        _ section: ConfigurationDocument.RelaySection, key: String
    ) -> String? {
        if let hours = section.idempotency_hours {
            if section.idempotency_header == nil {
                refuse(key + ".idempotency_hours", "is of use only together with idempotency_header")
            }
            if !(1...720).contains(hours) { refuse(key + ".idempotency_hours", "must be 1 ... 720") }
        }
        guard let header = section.idempotency_header else { return nil }
        let isName = header.utf8.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
        let isOurs = MessageHeaders.names.contains(header.lowercased())
        guard (1...64).contains(header.utf8.count), isName, !isOurs else {
            refuse(
                key + ".idempotency_header",
                "must be the name of a header of letters, digits and -, and none that every message has")
            return nil
        }
        if section.url.hasPrefix("maildir:") {
            refuse(key + ".idempotency_header", "a Maildir knows no idempotency keys")
        }
        return header
    }

    private func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private mutating func settlesByJournal(_ section: ConfigurationDocument.RelaySection, key: String) -> Bool {
        guard section.settle_by_journal == true else { return false }
        if section.idempotency_header != nil {
            refuse(key + ".settle_by_journal", "a local Postfix knows no idempotency keys: give one or the other")
        }
        // A url that cannot be read is refused by itself.
        if let url = try? RelayURL.parse(url: section.url), !url.isLoopback {
            refuse(
                key + ".settle_by_journal", "only a Postfix on this machine writes into its journal: smtp://127.0.0.1")
        }
        return true
    }

    private mutating func downtime(_ sending: ConfigurationDocument.SendingSection?) -> Int64? {
        let seconds = sending?.hold_after_downtime ?? 86_400
        if !(0...31_536_000).contains(seconds) {
            refuse("sending.hold_after_downtime", "must be 0 (never) ... 31536000 seconds")
        }
        return seconds == 0 ? nil : Int64(seconds)
    }

    /// A Maildir counts from the configuration file, as every path in it does.
    private func relayURL(_ url: String) -> String {
        guard url.hasPrefix("maildir:") else { return url }
        return "maildir:" + absolute(String(url.dropFirst("maildir:".count)))
    }

    private mutating func checkRate(_ rate: Int, key: String) {
        guard !Pacer.rates.contains(rate) else { return }
        refuse(key, "\(rate) is not possible: messages_per_hour must be 100 ... 3000")
    }

    private mutating func retries(_ sending: ConfigurationDocument.SendingSection?) -> RetrySchedule {
        let standard = RetrySchedule.standard
        let delays = sending?.retry_after?.map(Int64.init) ?? standard.delays
        let greylisting = sending?.greylisting_retry_after.map(Int64.init) ?? standard.greylistingDelay
        guard (1...50).contains(delays.count), delays.allSatisfy({ (1...604_800).contains($0) }) else {
            refuse("sending.retry_after", "must be a list of 1 ... 50 times in seconds, each 1 ... 604800")
            return standard
        }
        guard (1...604_800).contains(greylisting) else {
            refuse("sending.greylisting_retry_after", "must be 1 ... 604800 seconds")
            return standard
        }
        return RetrySchedule(delays: delays, greylistingDelay: greylisting)
    }

    private mutating func bounceAddress(_ sending: ConfigurationDocument.SendingSection?) -> EmailAddress? {
        guard let text = sending?.bounce_address else { return nil }
        do throws(EmailAddress.Invalid) {
            return try AddressText.read(text)
        } catch {
            refuse("sending.bounce_address", "“\(text)” is no address: \(error)")
            return nil
        }
    }

    private mutating func unsubscribeURL(_ sending: ConfigurationDocument.SendingSection?) -> String? {
        guard let url = sending?.unsubscribe_url else { return nil }
        let isUsable =
            url.hasPrefix("https://") && url.contains("{token}") && url.utf8.allSatisfy { (33...126).contains($0) }
        guard isUsable, url.utf8.count <= 500 else {
            refuse(
                "sending.unsubscribe_url", "must be an https:// address of at most 500 characters with {token} in it")
            return nil
        }
        return url
    }

    private mutating func language(_ sending: ConfigurationDocument.SendingSection?) -> String {
        let language = sending?.language ?? "en"
        if FootText.stop[language] == nil {
            let known = FootText.stop.keys.sorted().joined(separator: ", ")
            refuse("sending.language", "“\(language)” is not one of \(known)")
        }
        return language
    }

    mutating func patterns(_ texts: [String], key: String) -> [AddressPattern] {
        texts.compactMap { text in
            if let pattern = AddressPattern(text) { return pattern }
            refuse(key, "“\(text)” is neither an address nor *@domain")
            return nil
        }
    }

    private mutating func metricsFile(_ metrics: ConfigurationDocument.MetricsSection?) -> String? {
        guard let file = metrics?.file, !file.isEmpty else { return metrics?.file }
        if !file.hasSuffix(".prom") || file.hasSuffix("/.prom") {
            refuse("metrics.file", "must end in a name such as campaignd.prom: node_exporter reads no others")
        }
        return absolute(file)
    }

    private mutating func showsAddresses(_ journal: ConfigurationDocument.JournalSection?) -> Bool {
        switch journal?.addresses ?? "pseudonyms" {
        case "pseudonyms": return false
        case "clear": return true
        default:
            refuse("journal.addresses", "must be \"pseudonyms\" or \"clear\"")
            return false
        }
    }

    private func absolute(_ file: String) -> String {
        if file.hasPrefix("/") { return file }
        let base = URL(fileURLWithPath: path).deletingLastPathComponent()
        return base.appendingPathComponent(file).standardizedFileURL.path
    }

    /// What the key names cannot be found out now.
    mutating func refuse(_ key: String, _ why: SystemAccounts.Unanswered) {
        unanswered += 1
        refuse(key, why.description)
    }

    mutating func refuse(_ key: String, _ sentence: String) {
        mistakes.append("\(path):\(KeyPlaces.line(of: key, in: text)): \(key): \(sentence)")
    }
}
