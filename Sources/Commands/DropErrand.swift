import Daemon
import Glibc
import Mailing
import Spool

/// A drop on its way to its answer.
struct DropErrand {
    let door: SpoolDoor
    let clocks: any Clocks
    let dropped: DropWriter.Dropped
    let drop: DropName
    private let job: String?
    /// Whether its id was made for it, and is of no use to anybody else.
    private let isOwn: Bool
    private let reader: ReceiptReader?
    private var search: ReceiptSearch?

    /// What waiting ended with.
    enum Answer {
        case receipt(ReceiptReader.Found)
        /// The daemon has not taken the drop.
        case waiting
        /// The daemon has taken it, and is not done.
        case underWay
        case interrupted
    }

    /// Drops a draft, never over anything.
    ///
    /// - Parameters:
    ///   - job: Its id; nil if it has none.
    ///   - sha256: Identity of its contents; nil if its id was made for it.
    ///   - awaits: Whether its answer will be asked for: then receipts/ must be readable, or nothing is dropped.
    init(
        _ draft: DropWriter.Draft, door: SpoolDoor, job: String?, sha256: String?, awaits: Bool, clocks: any Clocks
    ) throws(CommandFailure) {
        self.door = door
        self.clocks = clocks
        drop = draft.drop
        self.job = job
        isOwn = sha256 == nil
        do throws(CommandFailure) {
            let reader = awaits ? try door.reader() : nil
            self.reader = reader
            search = try reader.map { reader throws(CommandFailure) in
                try door.attempt { () throws(SpoolError) in
                    try ReceiptSearch(reader: reader, drop: draft.drop, job: job, sha256: sha256)
                }
            }
            dropped = try DropErrand.hand(draft, to: door)
        } catch {
            try door.attempt { () throws(SpoolError) in try door.writer.discard(draft) }
            throw error
        }
    }

    private static func hand(_ draft: DropWriter.Draft, to door: SpoolDoor) throws(CommandFailure) -> DropWriter.Dropped
    {
        do throws(SpoolError) {
            return try door.writer.drop(draft)
        } catch {
            guard error.code == EEXIST else { throw door.failure(error) }
            throw taken(draft.drop)
        }
    }

    /// What to say if it is not certain that the drop lasts; nil if it is.
    var doubt: String? {
        dropped.doubt.map { error in
            "\(drop.text) is dropped, and campaignd may have taken it already, but a power cut may undo it: \(error). "
                + inquiry
        }
    }

    /// For whoever cannot see what became of the drop. Nobody is ever asked to drop it under another id: if it was
    /// taken, that would be a second job.
    private var inquiry: String {
        guard let job, !isOwn else {
            return
                "To find out whether it was carried out: the receipt \(drop.receiptName). If there is none, look how "
                + "things are (campaignctl status) before you give the command again"
        }
        return "To find out whether it was taken: campaignctl status \(job), or the receipt \(drop.receiptName). If "
            + "neither knows it, drop the same job again under the same id: it is never carried out twice"
    }

    /// Looks after what was dropped. Trouble with that says nothing about the job.
    private func look<Value>(_ work: () throws(SpoolError) -> Value) throws(CommandFailure) -> Value {
        do throws(SpoolError) {
            return try work()
        } catch {
            throw CommandFailure(
                "\(drop.text) was dropped, but its answer cannot be read: \(error). \(inquiry)", status: .temporary)
        }
    }

    static func taken(_ drop: DropName) -> CommandFailure {
        CommandFailure(
            "\(drop.text) waits for campaignd already, and is never replaced. Wait until it is answered, or take "
                + "another name (--name)")
    }

    /// Waits for the answer.
    ///
    /// - Parameters:
    ///   - seconds: How long at most; nil for as long as it takes.
    ///   - note: Told once if the daemon does not take the drop.
    mutating func answer(within seconds: Int64?, note: (String) -> Void) async throws -> Answer {
        let began = clocks.boot
        var isNoted = false
        while !Interrupt.hasCome {
            let isWaiting = try look { () throws(SpoolError) in try door.writer.isWaiting(dropped) }
            if !isWaiting, let found = try find() { return .receipt(found) }
            let elapsed = clocks.boot.nanoseconds - began.nanoseconds
            if isWaiting, elapsed > 3_000_000_000, !isNoted {
                isNoted = true
                note(notTaken)
            }
            if let seconds, elapsed > seconds * 1_000_000_000 { return isWaiting ? .waiting : .underWay }
            try await pause(milliseconds: elapsed < 2_000_000_000 ? 50 : 250)
        }
        return .interrupted
    }

    /// The receipt of this name as it is now.
    func current(_ name: ReceiptName) throws(CommandFailure) -> ReceiptReader.Found? {
        guard let reader else { return nil }
        return try look { () throws(SpoolError) in try reader.receipt(name) }
    }

    /// Whether the answer is that of the same job, dropped before.
    func cameBefore(_ found: ReceiptReader.Found) -> Bool {
        found.receipt.firstReceipt != nil || search?.wasThere(found) == true
    }

    func path(of found: ReceiptReader.Found) -> String { reader?.path(of: found.name) ?? found.name.text }

    func pause(milliseconds: Int64) async throws {
        try await clocks.sleep(until: clocks.boot.adding(nanoseconds: milliseconds * 1_000_000))
    }

    var notTaken: String {
        "campaignd has not taken \(drop.text) yet. If it does not run (systemctl status campaignd), the job waits as "
            + "\(dropped.path) and is carried out when it starts; remove that if it is not to be"
    }

    private mutating func find() throws(CommandFailure) -> ReceiptReader.Found? {
        guard var search else { return nil }
        let found = try look { () throws(SpoolError) in try search.find() }
        self.search = search
        return found
    }
}
