import Ledger
import Mailing
import Spool
import TestSupport
import Testing

@testable import Daemon

/// The way in: drops and what they do.
extension DaemonFixture {
    /// Starts, takes all that is there, and stops: a daemon that knows nothing but what is on disk.
    ///
    /// - Parameter account: What the system's user database says.
    func serve(
        account: @escaping @Sendable (UInt32) throws -> Account = { try SystemAccounts.account(of: $0) },
        wakeLanes: @escaping @Sendable () -> Void = {}
    ) async throws {
        try await serve(account: account, wakeLanes: wakeLanes) { context in
            let isDone = try await eventually(timeout: .seconds(20)) { try context.spool.claimed().isEmpty }
            #expect(isDone, "\(self.log.messages)")
        }
    }

    /// The same, for as long as something else takes.
    func serve(
        account: @escaping @Sendable (UInt32) throws -> Account = { try SystemAccounts.account(of: $0) },
        wakeLanes: @escaping @Sendable () -> Void = {},
        during something: (DaemonContext) async throws -> Void
    ) async throws {
        let context = DaemonContext(
            ledger: ledger, spool: self.context.spool, clocks: clock, settings: self.context.settings,
            journal: self.context.journal, progress: Progress(), stopping: StopFlag())
        let intake = Intake(
            context: context, library: CampaignLibrary(spool: context.spool), keeper: newKeeper(),
            surroundings: Surroundings(clocks: clock, logger: log.logger, account: account), wakeLanes: wakeLanes)
        clock.join()
        let run = Task { [clock] in
            await intake.run()
            clock.leave()
        }
        let work = Task { await intake.runHeavyWork() }
        await clock.settle()
        try await something(context)
        context.stopping.set()
        intake.wake()
        await run.value
        await work.value
        await writeReceipts()
    }
}
