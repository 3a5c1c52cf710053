import Glibc
import Synchronization

/// Ctrl-C while a command waits: it ends the waiting, and nothing else.
enum Interrupt {
    private static let flag = Atomic(false)
    /// What a shell expects of a command that was interrupted: 128 and the number of SIGINT.
    static let status: Int32 = 130

    static var hasCome: Bool { flag.load(ordering: .acquiring) }

    /// From now on Ctrl-C sets `hasCome` instead of ending the process.
    static func expect() {
        flag.store(false, ordering: .releasing)
        signal(SIGINT) { _ in Interrupt.flag.store(true, ordering: .releasing) }
    }
}
