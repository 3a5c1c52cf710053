import Synchronization

/// Whom the user database was asked about.
final class Asked: Sendable {
    private let state = Mutex<[UInt32]>([])

    var uids: [UInt32] { state.withLock { $0 } }

    func add(_ uid: UInt32) {
        state.withLock { $0.append(uid) }
    }
}
