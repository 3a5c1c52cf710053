/// A connection to a mail relay over which messages are handed over, one at a time.
///
/// Callers keep to the order `open`, `offer`, `handOver`, `offer`, …; `close` at any time. All calls may take as long
/// as the relay takes; none throws: what happened to the message is the result.
package protocol RelayConnection: Sendable {
    /// Connects, greets, encrypts and authenticates, unless that is done already and the connection still stands.
    func open() async -> RelayOpening

    /// Writes envelope and message, all but the final dot.
    ///
    /// - Parameter message: Headers and body with CRLF line ends, not dot-stuffed.
    func offer(_ envelope: Envelope, message: [UInt8]) async -> RelayOffer

    /// Writes the final dot and waits for the reply to it. To be called only after `offer` returned `armed` and the
    /// intent is durable.
    ///
    /// - Parameter written: Called once, before the reply is waited for: with the moment at which the dot was written,
    ///   or with nil if none was.
    func handOver(written: @Sendable (BootInstant?) -> Void) async -> RelayHandOver

    /// Ends the session: politely where nothing is under way, else at once and without the dot.
    func close() async

    /// The port of this machine from which the present session goes out; nil where there is none, as for a Maildir.
    func localPort() async -> Int?

    /// Makes a call that is under way before the dot return soon. After the dot it does nothing.
    func interrupt()
}

/// How connecting ended.
package enum RelayOpening: Hashable, Sendable {
    /// Ready; `fresh` tells whether a new session was begun.
    case ready(fresh: Bool)
    case refused(SMTPPhase, SMTPReply)
    /// No connection, no TLS, a certificate that is not trusted, no AUTH on offer.
    case failed(SMTPPhase, String)
}

/// How offering a message ended.
package enum RelayOffer: Hashable, Sendable {
    /// All but the dot is written.
    case armed
    case refused(SMTPPhase, SMTPReply)
    /// The connection is gone; no dot was written.
    case lost(SMTPPhase, String)
}

/// How handing over ended.
package struct RelayHandOver: Hashable, Sendable {
    package enum Ending: Hashable, Sendable {
        case answered(SMTPReply)
        /// The connection ended or the reply did not come: nobody knows.
        case silent(String)
        /// Not a byte of the dot was written.
        case notWritten(String)
    }

    package var ending: Ending
    /// When the dot was written; nil if it was not.
    package var writtenAt: BootInstant?

    package init(ending: Ending, writtenAt: BootInstant?) {
        self.ending = ending
        self.writtenAt = writtenAt
    }
}
