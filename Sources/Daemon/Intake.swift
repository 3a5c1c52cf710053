import Dispatch
import Foundation
import Glibc
import Ledger
import Logging
import Mailing
import Spool
import Synchronization

/// Takes drops out of incoming/, answers each, and hands the good ones on.
///
/// inotify is a hint, the scan is the truth. Small jobs are done at once, so that a withdrawal overtakes an import;
/// contacts and campaigns are worked on one after another in the order in which they came.
actor Intake {
    let context: DaemonContext
    private let library: CampaignLibrary
    let keeper: CampaignKeeper
    private let wakeLanes: @Sendable () -> Void
    let executor: any SerialExecutor
    private let watchesIncoming: Bool
    private var incoming: (watcher: IncomingWatcher, source: any DispatchSourceRead)?
    private nonisolated let bell = Bell()
    private nonisolated let pause = Bell()
    private nonisolated let hints = Mutex(IncomingHints())
    private var noReturnedMail = EmptyDirectory()
    private let heavyWork: AsyncStream<AcceptedDrop>
    private let addHeavyWork: AsyncStream<AcceptedDrop>.Continuation
    let ownUser = geteuid()
    let account: @Sendable (UInt32) throws -> Account
    /// Claimed drops that could not be dealt with for trouble of the machine: tried again until they are.
    private var left: [ClaimedDrop] = []
    /// Of claimed drops that were read: what tells their job in the journal.
    var jobFields: [String: [String: String]] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// incoming/ is looked at so often at least, in nanoseconds: network file systems send no events.
    private static let scanInterval: Int64 = 30_000_000_000
    /// Trouble of the machine is tried again after so many nanoseconds.
    private static let retryInterval: Int64 = 1_000_000_000
    /// A drop that killed the daemon so often while it was read or planned is put aside.
    static let attemptLimit = 5

    /// A drop that became a job, on its way to being worked on.
    struct AcceptedDrop: Sendable {
        var claim: ClaimedDrop
        var job: Job
        var review: Review
        var receipt: ReceiptName
        var acceptedAt: Timestamp
        /// Whose it is.
        var submitter: UInt32
    }

    /// What the review found that the work needs.
    struct Review: Sendable {
        var fingerprint: String
        var sha256: String
        var warnings: [String]
        /// Under which name errors speak of the job's file.
        var file: String
        var recipientLimit: RecipientLimit?
    }

    init(
        context: DaemonContext, library: CampaignLibrary, keeper: CampaignKeeper, surroundings: Surroundings,
        wakeLanes: @escaping @Sendable () -> Void
    ) {
        executor = surroundings.steadyExecutor("campaignd.intake")
        watchesIncoming = surroundings.watchesIncoming
        account = surroundings.account
        self.context = context
        self.library = library
        self.keeper = keeper
        self.wakeLanes = wakeLanes
        (heavyWork, addHeavyWork) = AsyncStream.makeStream(of: AcceptedDrop.self)
    }

    nonisolated func wake() {
        bell.ring()
        pause.ring()
    }

    /// Looks before it is time again; what it waits for meanwhile goes on.
    nonisolated func lookNow() { bell.ring() }

    /// From here on the kernel tells what is renamed into incoming/: such a drop is complete, and taken at once.
    func watch() {
        if incoming == nil, watchesIncoming { incoming = arm() }
    }

    /// Watches and scans until the daemon stops.
    func run() async {
        await takeUnfinished()
        while !context.stopping.isSet {
            context.progress.beat("intake", at: context.clocks.boot)
            if hints.withLock({ $0.mustRearm }) {
                context.stopping.set(because: "incoming/ was moved, removed or unmounted: put it back and start again")
                break
            }
            if let lost = context.spool.lostDirectory() {
                context.stopping.set(because: "\(lost) was moved or removed: it is made again at the next start")
                break
            }
            watch()
            let next = context.clocks.boot.adding(nanoseconds: await look())
            let common = context.clocks.commonMoment(every: Intake.scanInterval)
            await bell.wait(until: min(next, common), clocks: context.clocks)
        }
        incoming?.source.cancel()
        addHeavyWork.finish()
        context.progress.gone("intake")
    }

    private func arm() -> (watcher: IncomingWatcher, source: any DispatchSourceRead)? {
        do {
            let watcher = try IncomingWatcher(context.spool)
            let source = DispatchSource.makeReadSource(
                fileDescriptor: watcher.fileDescriptor, queue: DispatchQueue(label: "campaignd.inotify"))
            source.setEventHandler { [weak self] in
                guard let self else { return }
                self.hints.withLock { hints in
                    // The scan is the truth: a hint that cannot be read only costs the time until the next one.
                    do throws(SpoolError) {
                        try watcher.drain(into: &hints)
                    } catch {
                        source.cancel()
                        self.context.journal.note(.warning, .noHints, "\(error); looking every 30 s instead")
                    }
                }
                self.bell.ring()
            }
            source.resume()
            return (watcher, source)
        } catch {
            context.journal.noteSeldom(
                .warning, .noHints, "\(error); looking every 30 s instead", now: context.clocks.boot, about: "intake")
            return nil
        }
    }

    /// One scan. Returns after how many nanoseconds the next one is due.
    private func look() async -> Int64 {
        var wait = Intake.scanInterval
        let again = left
        left = []
        var isHindered = false
        for claim in again { await tryToProcess(claim) }
        do {
            while !context.stopping.isSet {
                let now = context.clocks.wall
                let scan = try hints.withLock { try context.spool.pending(hints: &$0, now: now) }
                for drop in scan.drops where !context.stopping.isSet {
                    context.progress.beat("intake", at: context.clocks.boot)
                    if await !tryToTake(drop) { isHindered = true }
                }
                guard scan.isPartial else {
                    let (seconds, rest) = scan.nextLook?.components ?? (30, 0)
                    wait = min(wait, seconds * 1_000_000_000 + rest / 1_000_000_000)
                    break
                }
            }
        } catch {
            fail("\(error)")
            wait = Intake.retryInterval
        }
        lookForReturnedMail()
        if left.isEmpty, !isHindered {
            context.progress.hindered("intake", by: nil)
            return wait
        }
        return min(wait, Intake.retryInterval)
    }

    /// So that nobody else has to be woken to look.
    private func lookForReturnedMail() {
        do throws(SpoolError) {
            let isNew = try context.spool.hasNewReturnedMail(knowing: &noReturnedMail, now: context.clocks.wall)
            if isNew { context.returnedMail.ring() }
        } catch {
            // Who reads it tells what is wrong with it.
            context.returnedMail.ring()
        }
    }

    /// What a crash left behind goes on as if it had just come.
    private func takeUnfinished() async {
        do {
            for claim in try context.spool.claimed() where !context.stopping.isSet { await tryToProcess(claim) }
        } catch {
            fail("what an earlier run left behind cannot be read: \(error)")
        }
    }

    private func tryToTake(_ drop: PendingDrop) async -> Bool {
        do {
            try await take(drop)
            return true
        } catch {
            hindered(
                "intake", by: "the drop \(drop.name) cannot be taken: \(error)", about: drop.identity,
                ["DROP": "\(drop.name)"])
            return false
        }
    }

    private func tryToProcess(_ claim: ClaimedDrop) async {
        context.progress.beat("intake", at: context.clocks.boot)
        do {
            try await process(claim)
            jobFields[claim.id] = nil
        } catch {
            left.append(claim)
            // Trouble of the machine is no crash, however often it comes.
            forgiveAttempt(claim)
            var fields = jobFields.removeValue(forKey: claim.id) ?? [:]
            fields["DROP"] = "\(claim.name)"
            hindered(
                "intake", by: "the drop \(claim.name) cannot be dealt with now: \(error)", about: claim.id, fields)
        }
    }

    private func take(_ drop: PendingDrop) async throws {
        switch try context.spool.claim(drop) {
        case .gone: return
        case .claimed(let claim): await tryToProcess(claim)
        case .unclaimable(let error):
            var receipt = Receipt(job: nil, kind: nil, state: .rejected)
            receipt.errors = [error]
            let name = try await reserve(drop.receiptName, owner: drop.identity)
            try context.spool.write(receipt, to: name, durable: true)
            try context.spool.refuse(drop)
            context.meters.job(isAccepted: false)
            context.journal.note(
                .notice, .rejected, "a drop was refused: \(error.message)",
                ["RECEIPT": name.text, "DROP": "\(drop.name)"])
        }
    }

    /// Reads, judges and answers one drop. Throws only for trouble of the machine; then the drop stays claimed.
    private func process(_ claim: ClaimedDrop) async throws {
        guard claim.attempts < Intake.attemptLimit else { return try await park(claim) }
        if let done = try await context.ledger.job(claimedAs: claim.id), done.isFinished {
            return try await finishAgain(done, claim)
        }
        let inspection = try context.spool.inspect(claim)
        guard inspection.errors.isEmpty, let form = inspection.form, let sha256 = inspection.sha256 else {
            return try await reject(claim, errors: inspection.errors, id: nil, kind: nil)
        }
        let file = inspection.jobFileName
        switch JobReader.read(try context.spool.jobFile(of: inspection), file: file, form: form) {
        case .failure(let found):
            try await reject(claim, errors: found.errors, id: found.id, kind: found.kind, sha256: sha256)
        case .success(let job):
            jobFields[claim.id] = job.journalFields
            if try await isKnown(job, claim: claim, sha256: sha256, file: file) { return }
            try await begin(job, claim: claim, inspection: inspection, sha256: sha256, file: file)
        }
    }

    private func begin(
        _ job: Job, claim: ClaimedDrop, inspection: Inspection, sha256: String, file: String
    ) async throws {
        let now = context.clocks.wall
        var judge = JobReview(
            configuration: context.settings.current, inspection: inspection,
            submitter: try submitter(inspection.owner), ownUser: ownUser, now: now, file: file)
        let known = try await context.ledger.job(job.id)
        try await review(job, by: &judge, isKnown: known != nil)
        guard judge.errors.isEmpty else {
            return try await reject(
                claim, errors: judge.errors, id: job.id.text, kind: job.kind.rawValue, sha256: sha256,
                fields: job.journalFields)
        }
        var job = job
        if case .consent(let consent) = job { job = .consent(judge.believed(consent)) }
        var receipt = known.flatMap { ReceiptName($0.receipt) }
        if receipt == nil { receipt = try await reserve(claim.receiptName, owner: claim.id) }
        guard let receipt else { throw LedgerError.conflict("job \(job.id) has no receipt") }
        try context.spool.keep(claim, as: job.id)
        if known == nil {
            try await context.ledger.begin(
                job: job, sha256: sha256, receipt: receipt.text, claim: claim.id, submitter: inspection.owner,
                bytes: judge.bytes, now: now)
            context.meters.job(isAccepted: true)
            tellAccepted(job, claim: claim, receipt: receipt)
        }
        var fingerprint = ""
        if case .campaign(let campaign) = job {
            fingerprint = JobReview.fingerprint(campaign, files: inspection.files)
        }
        let review = Review(
            fingerprint: fingerprint, sha256: sha256, warnings: judge.warnings, file: file,
            recipientLimit: judge.recipientLimit)
        let accepted = AcceptedDrop(
            claim: claim, job: job, review: review, receipt: receipt, acceptedAt: known?.acceptedAt ?? now,
            submitter: inspection.owner)
        if try await mustQueue(job) {
            // Waiting in the queue is no attempt; planning will be one.
            try context.spool.wasRead(claim)
            addHeavyWork.yield(accepted)
        } else {
            try await work(accepted)
        }
    }

    /// A control job waits behind the planning of its campaign; other small jobs are done at once.
    private func mustQueue(_ job: Job) async throws -> Bool {
        switch job {
        case .campaign, .contacts: true
        case .consent: false
        case .control(let control): try await context.ledger.job(control.campaign)?.isFinished == false
        }
    }

    /// Works on contacts and campaigns until the daemon stops.
    func runHeavyWork() async {
        for await drop in heavyWork {
            if context.stopping.isSet {
                forgiveAttempt(drop.claim)
                continue
            }
            await workUntilDone(drop)
            context.progress.gone("planning")
        }
    }

    /// Trouble of the machine, such as a full disk, is waited out: the jobs behind may build on this one.
    private func workUntilDone(_ drop: AcceptedDrop) async {
        while true {
            do {
                try await work(drop)
                return context.progress.hindered("planning", by: nil)
            } catch {
                forgiveAttempt(drop.claim)
                hindered(
                    "planning", by: "job \(drop.job.id): \(error); it is tried again", about: drop.claim.id,
                    drop.job.journalFields)
            }
            let next = context.clocks.boot.adding(nanoseconds: 5_000_000_000)
            while context.clocks.boot < next, !context.stopping.isSet {
                context.progress.beat("planning", at: context.clocks.boot)
                await pause.wait(until: next, clocks: context.clocks)
            }
            if context.stopping.isSet { return forgiveAttempt(drop.claim) }
        }
    }

    private func work(_ drop: AcceptedDrop) async throws {
        let desk = JobDesk(
            context: context, library: library, keeper: keeper, wakeLanes: wakeLanes)
        do {
            // Its work may be committed already, and only what follows it have met trouble of the machine.
            if let record = try await context.ledger.job(drop.job.id), record.isFinished {
                if record.kind != .campaign {
                    try context.spool.write(JobReceipts.receipt(of: record), to: drop.receipt, durable: true)
                    try context.spool.removeKept(record.id)
                }
            } else {
                try context.spool.beginPlanning(drop.claim)
                try await desk.work(drop)
            }
            try context.spool.planned(drop.claim)
            report(try context.spool.accept(drop.claim, as: drop.job.id))
        } catch let refused as Expander.Refused {
            try await context.ledger.forget(job: drop.job.id)
            try context.spool.removeKept(drop.job.id)
            let errors = refused.errors.map { error in
                var error = error
                if error.file == "job.json" { error.file = drop.review.file }
                return error
            }
            try await reject(
                drop.claim, errors: errors, id: drop.job.id.text, kind: drop.job.kind.rawValue,
                sha256: drop.review.sha256, name: drop.receipt, fields: drop.job.journalFields)
        } catch is Expander.Stopped {
            forgiveAttempt(drop.claim)
        }
    }

    /// An orderly stop is no crash.
    private func forgiveAttempt(_ claim: ClaimedDrop) {
        do throws(SpoolError) {
            try context.spool.planned(claim)
        } catch {
            fail("\(error)")
        }
    }
}
