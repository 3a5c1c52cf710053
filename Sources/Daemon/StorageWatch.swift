import Logging

/// Warns before a disk is full, while there is time to make room: in the journal once, in the status line as long.
struct StorageWatch {
    /// Part of what the daemon writes to, and how to ask for the bytes that are free there.
    struct Place {
        var name: String
        var path: String
        var freeBytes: () throws -> Int64
    }

    private let places: [Place]
    private let journal: DaemonJournal
    private let progress: Progress
    private var scarce: Set<String> = []

    /// As much as the largest drop holds.
    static let reserve: Int64 = 256 << 20

    init(places: [Place], journal: DaemonJournal, progress: Progress) {
        self.places = places
        self.journal = journal
        self.progress = progress
    }

    mutating func look() {
        for place in places {
            do {
                look(at: place, free: try place.freeBytes())
            } catch {
                // Who writes there says what is wrong with it.
                progress.warning(place.name, nil)
            }
        }
    }

    private mutating func look(at place: Place, free: Int64) {
        let disk = "the file system of the \(place.name) (\(place.path))"
        if scarce.contains(place.name) {
            // A little more than before, so that one file more or less does not make news.
            guard free >= StorageWatch.reserve / 8 * 9 else { return }
            scarce.remove(place.name)
            progress.warning(place.name, nil)
            journal.note(.notice, .scarce, "\(disk) has room again: \(free >> 20) MiB are free")
        } else if free < StorageWatch.reserve {
            scarce.insert(place.name)
            progress.warning(place.name, "\(disk) is nearly full: make room")
            journal.note(
                .warning, .scarce,
                "\(disk) is nearly full: \(free >> 20) MiB are free. When it is full, nothing is accepted or sent: "
                    + "make room")
        }
    }
}
