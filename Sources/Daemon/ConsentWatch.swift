import Ledger
import Logging
import Mailing

/// Looks through the whole history of consent once after each start: was it changed behind the daemon's back?
///
/// What is found is told, and sending goes on: consent is decided by what the ledger says now, and only a person can
/// find out what it said before.
struct ConsentWatch {
    let context: DaemonContext

    /// So many events are read at a time, and then the ledger is left to others for so many nanoseconds.
    private static let part = 200
    private static let pause: Int64 = 20_000_000

    func run() async {
        var walk = ConsentChainWalk()
        do {
            while !walk.isOver {
                if context.stopping.isSet { return }
                walk = try await context.ledger.walkConsentChain(walk, events: ConsentWatch.part)
                guard !walk.isOver else { break }
                await Bell().wait(
                    until: context.clocks.boot.adding(nanoseconds: ConsentWatch.pause), clocks: context.clocks)
            }
        } catch {
            return context.journal.note(
                .error, .consentUnread, "the history of consent cannot be looked through: \(error)")
        }
        guard let number = walk.firstBroken else { return }
        context.progress.warning(
            "consent", "the history of consent was changed, from event \(number) on: see the journal")
        context.journal.note(
            .error, .consentChanged,
            "the history of consent was changed behind campaignd's back: event \(number), or one before it, is not "
                + "what was recorded. Sending goes on. Compare the ledger with a backup, and tell whoever answers for "
                + "the consent", ["EVENT": "\(number)"])
    }
}
