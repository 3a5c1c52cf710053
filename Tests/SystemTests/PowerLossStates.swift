import Foundation
import Glibc
import TestSupport

/// A moment at which the power went, and what was there afterwards.
struct PowerLossState: Sendable {
    /// How many calls had been made.
    let cut: Int
    /// The last of them.
    let place: String
    let survival: PowerLossDisk.Survival
    let tree: PowerLossDisk.Tree
    /// Which jobs had been dropped.
    let dropped: Set<String>
    /// To whom a final dot had been sent, once for each.
    let dots: [String]
    /// To whom a message had been offered, with its dot or without.
    let offered: Set<String>

    var description: String { "power lost after call \(cut) (\(place)), surviving: \(survival)" }
}

/// All states that a loss of power can leave of one recorded life.
struct PowerLossStates {
    private let calls: [RecordedCall]
    private let directories: [(path: String, inode: UInt64)]

    /// - Parameter world: one that was recorded from its start on, with bytes, and whose files are still there.
    init(_ world: SweepWorld) throws {
        calls = try world.calls(1)
        // They were there before the start, and empty.
        directories = try ["", "spool", "spool/incoming", "spool/tmp"].map { path in
            var status = stat()
            guard stat(world.scenario.daemon.directory.path(path), &status) == 0 else {
                throw TestSupportError("\(path) of the recorded world is gone")
            }
            return (path, UInt64(status.st_ino))
        }
    }

    /// - Parameters:
    ///   - ignored: calls that are taken to do nothing once the first relay is spoken to, for a test of the tests.
    ///   - survivals: which to try at a cut.
    /// - Returns: each different state once.
    func all(
        ignoring ignored: Set<RecordedCall.What> = [],
        survivals: (_ cut: Int, _ isWrite: Bool) -> [PowerLossDisk.Survival] = PowerLossStates.every
    ) throws -> [PowerLossState] {
        var disk = try PowerLossDisk(directories: directories)
        var relays = RelayTalk()
        var dropped: Set<String> = []
        var states: [PowerLossState] = []
        var known: Set<Int> = []
        func note(_ cut: Int, _ call: RecordedCall?) {
            let chosen = disk.hasPending ? survivals(cut, call?.what == .write) : [.none]
            for survival in chosen {
                let state = PowerLossState(
                    cut: cut, place: call?.place ?? "start", survival: survival,
                    tree: disk.surviving(survival, last: call), dropped: dropped, dots: relays.dots,
                    offered: relays.offered)
                if known.insert(Self.identity(state)).inserted { states.append(state) }
            }
        }
        note(0, nil)
        for (index, call) in calls.enumerated() {
            // The producer's part is not in the record: it shows when the daemon takes the drop.
            if call.what == .rename, call.directory == directories[2].inode,
                !disk.has(call.name, inDirectory: call.directory)
            {
                dropped.insert(try Self.drop(call, &disk))
                note(index, call)
            }
            if call.what == .send { disk.ignored = ignored }
            try disk.apply(call)
            relays.sent(call)
            note(index + 1, call)
        }
        return states
    }

    static func every(cut: Int, isWrite: Bool) -> [PowerLossDisk.Survival] {
        let seed = UInt64(cut)
        return [.none, .all, .some(seed), .some(seed + 1_000_000)] + (isWrite ? [.torn(seed)] : [])
    }

    private static func drop(_ call: RecordedCall, _ disk: inout PowerLossDisk) throws -> String {
        switch call.name {
        case "people.job":
            try disk.add(
                "spool/incoming/people.job", inode: call.inode,
                files: ["job.json": Array(SweepWorld.importJob.utf8), "list.csv": SweepWorld.list])
            return "people"
        case "news.json":
            try disk.add("spool/incoming/news.json", inode: call.inode, file: Array(SweepWorld.mailingJob.utf8))
            return "news"
        default: throw TestSupportError("nobody dropped \(call.name)")
        }
    }

    private static func identity(_ state: PowerLossState) -> Int {
        var hasher = Hasher()
        hasher.combine(state.dots)
        hasher.combine(state.dropped)
        for path in state.tree.keys.sorted() {
            hasher.combine(path)
            guard case .some(.some(let bytes)) = state.tree[path] else { continue }
            hasher.combine(bytes.count)
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        return hasher.finalize()
    }
}

/// What the daemon has said to its relays, from its sends alone.
private struct RelayTalk {
    private struct Session {
        var recipient = ""
        var isBody = false
    }

    private var sessions: [UInt64: Session] = [:]
    private(set) var dots: [String] = []
    private(set) var offered: Set<String> = []

    mutating func sent(_ call: RecordedCall) {
        guard call.what == .send, !call.hasFailed else { return }
        let text = String(decoding: call.bytes, as: UTF8.self)
        var session = sessions[call.inode] ?? Session()
        if session.isBody {
            // The daemon writes the dot by a call of its own.
            if text == ".\r\n" {
                dots.append(session.recipient)
                session.isBody = false
            }
        } else if text.hasPrefix("RCPT TO:<"), let end = text.firstIndex(of: ">") {
            session.recipient = String(text[..<end].dropFirst("RCPT TO:<".count))
        } else if text == "DATA\r\n" {
            session.isBody = true
            offered.insert(session.recipient)
        }
        sessions[call.inode] = session
    }
}
