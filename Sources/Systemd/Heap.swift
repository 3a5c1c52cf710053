import CSystemd

/// The heap of the process, as the C library keeps it.
package enum Heap {
    /// Lets all threads together have so many arenas: mallopt(3), `M_ARENA_MAX`.
    ///
    /// Usual are eight for each processor, and each keeps what its threads needed at the most at any time. Call it
    /// before there are threads. Returns whether the C library has taken it.
    package static func limitArenas(to count: Int32) -> Bool { mallopt(M_ARENA_MAX, count) == 1 }
}
