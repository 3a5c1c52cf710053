import Systemd

/// Keeps a daemon that has nothing to do small.
struct IdleMemory {
    /// Bytes of files that were mapped after they were given back for the last time; nil before the first look.
    private var kept: Int?

    /// So many more bytes than then are worth giving back: those of a start, or of a mailing that has ended.
    private static let worthwhile = 4 << 20

    /// Called now and then. The first look is part of the start, which still needs its pages.
    ///
    /// - Parameter isBusy: Whether the code is needed soon: nothing shall be late for want of a page.
    mutating func look(isBusy: Bool) {
        guard let kept else {
            kept = 0
            return
        }
        guard !isBusy, let resident = MappedFiles.resident, resident - kept > IdleMemory.worthwhile else { return }
        MappedFiles.release()
        MappedFiles.keep()
        self.kept = MappedFiles.resident ?? resident
    }
}
