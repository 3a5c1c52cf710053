import Glibc

/// `CLOCK_MONOTONIC`, the clock of every measurement in the tests.
package enum MonotonicClock {
    /// Nanoseconds since some fixed moment; never steps back, does not count suspended time.
    package static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

extension Duration {
    /// The whole duration in nanoseconds; a negative one counts as zero.
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}

/// Asks `condition` every `interval` until it holds or `timeout` has passed.
///
/// - Returns: whether the condition came to hold. A cancelled task gets `false` at once.
package func eventually(
    timeout: Duration, every interval: Duration = .milliseconds(5), _ condition: () throws -> Bool
) async rethrows -> Bool {
    let deadline = MonotonicClock.now() + timeout.nanoseconds
    while true {
        if try condition() { return true }
        if MonotonicClock.now() >= deadline { return false }
        do { try await Task.sleep(for: interval) } catch { return false }
    }
}

/// What a helper of the tests could not do, in a sentence.
package struct TestSupportError: Error, CustomStringConvertible {
    /// The sentence.
    package let description: String

    /// With the sentence that says what failed and why.
    package init(_ description: String) {
        self.description = description
    }

    /// A failed system call, with what was attempted and the text of `errno`.
    static func systemCall(_ attempt: String, _ code: Int32 = errno) -> TestSupportError {
        TestSupportError("\(attempt): \(String(cString: strerror(code)))")
    }
}
