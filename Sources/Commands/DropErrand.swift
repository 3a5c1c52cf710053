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
    ///   - awaits: Whether its answer will be asked for: then receipts/ must be readable, or nothing is dropped.
    init(
        _ draft: DropWriter.Draft, door: SpoolDoor, job: String?, sha256: String?, awaits: Bool, clocks: any Clocks
    ) throws(CommandFailure) {
        self.door = door
        self.clocks = clocks
        drop = draft.drop
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
            let isWaiting = try door.attempt { () throws(SpoolError) in try door.writer.isWaiting(dropped) }
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
        return try door.attempt { () throws(SpoolError) in try reader.receipt(name) }
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
        let found = try door.attempt { () throws(SpoolError) in try search.find() }
        self.search = search
        return found
    }
}
