import Foundation
import Ledger
import MIME
import Mailing

/// Makes the message and the envelope of one delivery; the same at every attempt.
struct MessageMaker: Sendable {
    let key: LedgerKey

    struct Made: Sendable {
        var envelope: Envelope
        var message: [UInt8]
        var messageID: String
        /// To whom its idempotency key goes, and for how many seconds it is known there; nil if it has none.
        var key: (scope: String, seconds: Int64)?
    }

    /// - Throws: `ComposeError` where this recipient's fields do not make a message.
    /// - Parameter relay: The relay that is to carry it: whether it knows idempotency keys.
    func make(
        _ due: DueDelivery, _ prepared: PreparedCampaign, configuration: Configuration,
        relay: Configuration.Relay? = nil
    ) throws -> Made {
        let sender = prepared.campaign.sender.address
        let (fields, headers) = values(due, prepared, configuration: configuration, relay: relay)
        let message = try prepared.template.compose(fields: fields, headers: headers)
        let envelope = Envelope(
            sender: returnPath(due, sender: sender, bounceAddress: configuration.bounceAddress), recipient: due.address)
        // A tenth is left for clocks that are set back and for what the relay counts otherwise.
        let knownKey = relay.flatMap { relay in relay.keyScope.map { ($0, relay.idempotencySeconds / 10 * 9) } }
        return Made(envelope: envelope, message: message, messageID: headers.messageID, key: knownKey)
    }

    /// What the template is filled in with for one delivery.
    func values(
        _ due: DueDelivery, _ prepared: PreparedCampaign, configuration: Configuration,
        relay: Configuration.Relay? = nil
    ) -> (fields: [String: String], headers: MessageHeaders) {
        let campaign = prepared.campaign
        let sender = campaign.sender.address
        let messageID = self.messageID(due, domain: sender.domain)
        let isMailing = campaign.basis != .service
        let language = due.fields["language"]?.lowercased() ?? configuration.language
        let stop = FootText.stop[language] ?? FootText.stop[configuration.language] ?? ""
        let mailto = "mailto:\(sender.text)?subject=unsubscribe"
        let page = configuration.unsubscribeURL?.replacingOccurrences(of: "{token}", with: tag(due))
        var headers = MessageHeaders(
            to: Mailbox(name: due.fields["name"], address: due.address.text), messageID: messageID,
            date: due.acceptedAt.milliseconds, listID: isMailing ? listID(campaign) : nil,
            listUnsubscribe: isMailing ? [page, mailto].compactMap { $0 } : [], oneClick: isMailing && page != nil,
            bulk: isMailing, footLines: isMailing ? [stop] : [], footLink: isMailing ? page ?? mailto : nil)
        headers.idempotencyKey = relay?.idempotencyHeader.map {
            ($0, key.token(for: "idempotency", person(due), digits: 40))
        }
        var fields = prepared.merged(due.fields, address: due.address)
        if due.isTest {
            for name in prepared.template.missing(in: fields) { fields[name] = "[\(name)]" }
        }
        return (fields, headers)
    }

    /// Derived from campaign and recipient, and told apart from the test mail to the same person.
    func messageID(_ due: DueDelivery, domain: String) -> String {
        key.token(for: "message-id", person(due), digits: 40) + "@" + domain
    }

    private func person(_ due: DueDelivery) -> String {
        "\(due.job) \(due.isTest ? "test" : "mail") \(due.address.key)"
    }

    /// VERP with an HMAC: `local+ID.MAC@domain`, at most 64 octets before the `@`.
    private func returnPath(_ due: DueDelivery, sender: EmailAddress, bounceAddress: EmailAddress?) -> EmailAddress {
        let base = bounceAddress ?? sender
        let tag = tag(due)
        let local = String(base.text.dropLast(base.domain.count + 1))
        let full = local.utf8.count + 1 + tag.utf8.count <= 64 ? "\(local)+\(tag)" : "bounce+\(tag)"
        let text = "\(full)@\(base.domain)"
        return EmailAddress(stored: text, key: text.lowercased())
    }

    /// Names the delivery so that nobody can forge it: for what comes back, and for the unsubscribe page.
    private func tag(_ due: DueDelivery) -> String {
        MessageMaker.tag(delivery: due.id, job: due.job, address: due.address, key: key)
    }

    /// Holds for this person and this campaign only: a ledger that was restored may give a number away again.
    static func tag(delivery: Int64, job: JobID, address: EmailAddress, key: LedgerKey) -> String {
        "\(delivery).\(key.token(for: "return-path", "\(delivery) \(job) \(address.key)", digits: 16))"
    }

    private func listID(_ campaign: Campaign) -> String {
        let label = campaign.purpose.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
        return String(label) + "." + campaign.sender.address.domain
    }
}
