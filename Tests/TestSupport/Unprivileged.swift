import Glibc

/// Gives up the rights of root in this process, for good: only for exit tests, which are processes of their own.
package func becomeUnprivileged() {
    guard geteuid() == 0 else { return }
    let nobody: UInt32 = 65_534
    precondition(setgroups(0, nil) == 0 && setgid(nobody) == 0 && setuid(nobody) == 0, "root may become anybody")
}
