import Systemd

/// Keeps a daemon that has nothing to do small.
struct IdleMemory {
    /// Bytes of files that were mapped after they were given back for the last time, and the idle daemon had done once
    /// what it does now and then; nil before the first look.
    private var kept: Int?
    private var isRehearsing = false

    /// So many more bytes than then are worth giving back: those of a start, or of a mailing that has ended.
    private static let worthwhile = 4 << 20

    /// Called now and then. The first look is part of the start, which still needs its pages.
    ///
    /// Returns whether pages were given back: then what is done now and then shall be done, and this be called soon
    /// again. What is used stays.
    ///
    /// - Parameter isBusy: Whether the code is needed soon: nothing shall be late for want of a page.
    mutating func look(isBusy: Bool) -> Bool {
        guard let kept else {
            kept = 0
            return false
        }
        let isRehearsed = isRehearsing
        isRehearsing = false
        guard !isBusy, let resident = MappedFiles.resident else { return false }
        if isRehearsed { self.kept = resident }
        guard !isRehearsed, resident - kept > IdleMemory.worthwhile else { return false }
        MappedFiles.release()
        MappedFiles.keep()
        self.kept = MappedFiles.resident ?? resident
        isRehearsing = true
        return true
    }
}
