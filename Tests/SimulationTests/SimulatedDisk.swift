import CFaultyDisk
import Glibc
import Synchronization

/// The machine below a daemon: counts each durable or visible step that it takes, and fails when it is told to.
///
/// A crash is the moment from which on no step reaches the disk or the relay any more.
final class SimulatedDisk: Sendable {
    enum Step: Hashable, Sendable, CaseIterable {
        case create, write, sync, rename, link, unlink, makeDirectory, truncate, changeMode
        /// The relay got the dot; the relay's reply arrived.
        case dot, reply
    }

    /// Steps that fail, though nothing crashes.
    struct Fault: Sendable {
        /// From this step of the run on …
        var first: Int
        /// … to this one.
        var last: Int
        /// ENOSPC, EIO, EROFS …
        var reason: Int32
        /// Only these; nil for all that need the disk.
        var only: Set<Step>?
    }

    private struct State {
        var steps = 0
        var crashAt: Int?
        var hasCrashed = false
        var faults: [Fault] = []
        var failed = 0
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - crashAt: The number of the step, from 1, that does not happen any more, nor any after it.
    init(crashAt: Int?, faults: [Fault] = []) {
        state = Mutex(State(crashAt: crashAt, faults: faults))
    }

    var steps: Int { state.withLock { $0.steps } }
    var hasCrashed: Bool { state.withLock { $0.hasCrashed } }
    /// How many steps failed without a crash.
    var failed: Int { state.withLock { $0.failed } }

    /// Somebody pulls the plug now.
    func crash() { state.withLock { $0.hasCrashed = true } }

    /// 0 if the step happens, else the errno with which it fails.
    func take(_ step: Step) -> Int32 {
        state.withLock { state in
            if state.hasCrashed { return EIO }
            state.steps += 1
            if state.steps == state.crashAt {
                state.hasCrashed = true
                return EIO
            }
            let fault = state.faults.first { fault in
                (fault.first...fault.last).contains(state.steps) && step != .dot && step != .reply
                    && fault.only?.contains(step) ?? true
            }
            if fault != nil { state.failed += 1 }
            return fault?.reason ?? 0
        }
    }

    /// Runs the work of the daemon on this thread with all its calls to the disk counted.
    func watch<Value>(_ work: () throws -> Value) rethrows -> Value {
        let context = Unmanaged.passUnretained(self).toOpaque()
        faulty_disk_watch({ context, call in SimulatedDisk.gate(context, call) }, context)
        defer { faulty_disk_watch(nil, nil) }
        return try work()
    }

    private static func gate(_ context: UnsafeMutableRawPointer?, _ call: faulty_disk_call) -> Int32 {
        guard let context else { return 0 }
        return Unmanaged<SimulatedDisk>.fromOpaque(context).takeUnretainedValue().take(step(call))
    }

    private static func step(_ call: faulty_disk_call) -> Step {
        switch call {
        case FAULTY_DISK_CREATE: .create
        case FAULTY_DISK_WRITE: .write
        case FAULTY_DISK_SYNC: .sync
        case FAULTY_DISK_RENAME: .rename
        case FAULTY_DISK_LINK: .link
        case FAULTY_DISK_UNLINK: .unlink
        case FAULTY_DISK_MAKE_DIRECTORY: .makeDirectory
        case FAULTY_DISK_TRUNCATE: .truncate
        default: .changeMode
        }
    }
}
