import TestSupport

/// A disk that loses power: what a record of calls leaves of it if only what was synchronized is sure to survive.
///
/// The rules are those of POSIX, which promise less than any file system in use:
/// - The contents of a file, its length too, survive as of the last fsync or fdatasync of that file. Of what was
///   written since, any part may have reached the disk: each write and each truncation by itself, a write also in part.
/// - An entry of a directory survives as of the last fsync or fdatasync of that directory, whether or not the file it
///   leads to was synchronized (ext4 is kinder: fsync of a new file commits its name too). Of what was done since, any
///   part may have reached the disk, but no operation on a name without the earlier ones on the same name: the journal
///   of ext4 and its like keep that order.
/// - A rename is one operation: it survives whole with an fsync of either directory. That is what the journals of ext4,
///   xfs and btrfs do; without it no program could replace a file safely.
/// - What is written through memory is lost: that is the index of SQLite's write-ahead log, which is made anew.
struct PowerLossDisk {
    /// A file or directory, whatever its names; never used again for another.
    typealias Node = Int

    /// What survived, by paths below the root; nil for a directory.
    typealias Tree = [String: [UInt8]?]

    /// How much of what was not synchronized survives.
    enum Survival: Hashable, Sendable {
        case none, all
        /// Any part, by a seed.
        case some(UInt64)
        /// All but a part of the last write, by a seed.
        case torn(UInt64)
    }

    private enum Change {
        case write(Int, ArraySlice<UInt8>)
        case truncate(Int)
    }

    private struct File {
        var synchronized: [UInt8] = []
        var present: [UInt8] = []
        var pending: [Change] = []
    }

    private struct Place: Hashable {
        let directory: Node
        let name: String
    }

    private struct NameChange {
        let places: [Place]
        let apply: (inout [Node: [String: Node]]) -> Void
    }

    /// Calls of these kinds are taken to do nothing: for a test of the tests.
    var ignored: Set<RecordedCall.What> = []

    private var files: [Node: File] = [:]
    private var synchronized: [Node: [String: Node]] = [:]
    private var present: [Node: [String: Node]] = [:]
    private var pending: [NameChange] = []
    private var nodes: [UInt64: Node] = [:]
    private var count = 1
    private let root: Node = 0

    /// - Parameter directories: those that were there at the start, empty and synchronized, by path (the root is ""),
    ///   with their inodes; a directory after the one it is in.
    init(directories: [(path: String, inode: UInt64)]) throws {
        synchronized[root] = [:]
        for (path, inode) in directories {
            if path.isEmpty {
                nodes[inode] = root
            } else {
                nodes[inode] = try place(path, make())
            }
        }
        present = synchronized
    }

    private mutating func make() -> Node {
        defer { count += 1 }
        synchronized[count] = [:]
        return count
    }

    /// Enters a node under a path whose directories are there.
    private mutating func place(_ path: String, _ node: Node) throws -> Node {
        var names = path.split(separator: "/").map(String.init)
        let name = names.removeLast()
        let directory = try names.reduce(root) { directory, name in
            guard let next = synchronized[directory]?[name] else { throw TestSupportError("\(path) has no directory") }
            return next
        }
        synchronized[directory]?[name] = node
        return node
    }

    /// What somebody else put there and synchronized: a file, or a directory of files.
    mutating func add(_ path: String, inode: UInt64, file: [UInt8]? = nil, files: [String: [UInt8]] = [:]) throws {
        let node = make()
        nodes[inode] = node
        for (name, bytes) in files {
            let inside = make()
            self.files[inside] = File(synchronized: bytes, present: bytes)
            synchronized[node]?[name] = inside
        }
        if let file { self.files[node] = File(synchronized: file, present: file) }
        _ = try place(path, node)
        present = applyAll(pending)
    }

    private func applyAll(_ changes: [NameChange]) -> [Node: [String: Node]] {
        var entries = synchronized
        for change in changes { change.apply(&entries) }
        return entries
    }

    /// Whether something has this name now.
    func has(_ name: String, inDirectory inode: UInt64) -> Bool {
        nodes[inode].flatMap { present[$0]?[name] } != nil
    }

    // MARK: Calls

    mutating func apply(_ call: RecordedCall) throws {
        guard !call.hasFailed, !ignored.contains(call.what) else { return }
        switch call.what {
        case .send: return
        case .write: try change(call, .write(Int(call.offset), call.bytes))
        case .truncate: try change(call, .truncate(Int(call.offset)))
        case .fsync, .fdatasync: synchronize(try node(call.inode, call))
        case .create: try create(call)
        case .makeDirectory:
            let made = make()
            nodes[call.inode] = made
            link(Place(directory: try node(call.directory, call), name: call.name), made)
        case .unlink:
            let gone = Place(directory: try node(call.directory, call), name: call.name)
            change([gone]) { $0[gone.directory]?[gone.name] = nil }
        case .rename: try rename(call)
        case .link: throw TestSupportError("the model knows no hard links")
        }
    }

    private func node(_ inode: UInt64, _ call: RecordedCall) throws -> Node {
        guard let node = nodes[inode] else {
            throw TestSupportError("call \(call.number), \(call.place): unknown inode")
        }
        return node
    }

    private mutating func change(_ call: RecordedCall, _ change: Change) throws {
        let node = try node(call.inode, call)
        files[node, default: File()].pending.append(change)
        Self.apply(change, &files[node, default: File()].present)
    }

    private mutating func create(_ call: RecordedCall) throws {
        if call.isNew {
            let made = make()
            files[made] = File()
            nodes[call.inode] = made
            link(Place(directory: try node(call.directory, call), name: call.name), made)
        } else if call.isEmptied {
            try change(call, .truncate(0))
        }
    }

    private mutating func rename(_ call: RecordedCall) throws {
        let from = Place(directory: try node(call.directory, call), name: call.name)
        let to = Place(directory: try node(call.otherDirectory, call), name: call.otherName)
        guard let moved = present[from.directory]?[from.name] else {
            throw TestSupportError("call \(call.number) renames what the model does not know: \(call.name)")
        }
        // RENAME_EXCHANGE
        let other = call.flags & 2 != 0 ? present[to.directory]?[to.name] : nil
        change([from, to]) { entries in
            entries[from.directory]?[from.name] = other
            entries[to.directory]?[to.name] = moved
        }
    }

    private mutating func link(_ place: Place, _ node: Node) {
        present[node] = [:]
        change([place]) { $0[place.directory]?[place.name] = node }
    }

    private mutating func change(_ places: [Place], _ apply: @escaping (inout [Node: [String: Node]]) -> Void) {
        pending.append(NameChange(places: places, apply: apply))
        apply(&present)
    }

    private mutating func synchronize(_ node: Node) {
        if var file = files[node] {
            file.synchronized = file.present
            file.pending = []
            files[node] = file
            return
        }
        let surviving = withEarlier(pending.indices.filter { pending[$0].places.contains { $0.directory == node } })
        for index in surviving.sorted() { pending[index].apply(&synchronized) }
        pending = pending.indices.filter { !surviving.contains($0) }.map { pending[$0] }
    }

    /// With each change of names all earlier ones of the same names.
    private func withEarlier(_ chosen: [Int]) -> Set<Int> {
        var all = Set(chosen)
        for index in pending.indices.reversed() where all.contains(index) {
            let places = Set(pending[index].places)
            for earlier in 0..<index where !places.isDisjoint(with: pending[earlier].places) { all.insert(earlier) }
        }
        return all
    }

    private static func apply(_ change: Change, _ bytes: inout [UInt8]) {
        switch change {
        case .truncate(let length):
            if length < bytes.count {
                bytes.removeSubrange(length...)
            } else {
                bytes += [UInt8](repeating: 0, count: length - bytes.count)
            }
        case .write(let offset, let new):
            if offset + new.count > bytes.count {
                bytes += [UInt8](repeating: 0, count: offset + new.count - bytes.count)
            }
            bytes.replaceSubrange(offset..<offset + new.count, with: new)
        }
    }

    // MARK: What survives

    /// Whether something is there that may get lost.
    var hasPending: Bool { !pending.isEmpty || files.values.contains { !$0.pending.isEmpty } }

    /// What is there after a loss of power in this moment.
    ///
    /// - Parameter last: the call that was under way.
    func surviving(_ survival: Survival, last: RecordedCall? = nil) -> Tree {
        switch survival {
        case .none: return tree(synchronized) { $0.synchronized }
        case .all: return tree(present) { $0.present }
        case .torn(let seed):
            var generator = SeededGenerator(seed: seed)
            let written = last.flatMap { nodes[$0.inode] }
            return tree(present, torn: written) { file in
                guard case .write(let offset, let bytes)? = file.pending.last, !bytes.isEmpty else {
                    return file.present
                }
                var content = file.synchronized
                for change in file.pending.dropLast() { Self.apply(change, &content) }
                Self.apply(.write(offset, bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator))), &content)
                return content
            }
        case .some(let seed):
            var generator = SeededGenerator(seed: seed)
            let chosen = withEarlier(pending.indices.filter { _ in Bool.random(using: &generator) })
            let entries = applyAll(chosen.sorted().map { pending[$0] })
            // In the order of the nodes, so that a seed gives the same again.
            var contents: [Node: [UInt8]] = [:]
            for node in files.keys.sorted() {
                guard let file = files[node], !file.pending.isEmpty else { continue }
                var content = file.synchronized
                for change in file.pending where Bool.random(using: &generator) { Self.apply(change, &content) }
                contents[node] = content
            }
            return tree(entries, contents: contents) { $0.synchronized }
        }
    }

    private func tree(
        _ entries: [Node: [String: Node]], torn: Node? = nil, contents: [Node: [UInt8]] = [:],
        _ content: (File) -> [UInt8]
    ) -> Tree {
        var tree: Tree = [:]
        func add(_ directory: Node, _ path: String) {
            for (name, node) in entries[directory] ?? [:] where !name.hasSuffix("-shm") {
                let inside = path.isEmpty ? name : "\(path)/\(name)"
                if let file = files[node] {
                    tree[inside] = .some(
                        contents[node] ?? (torn == nil || torn == node ? content(file) : file.present))
                } else {
                    tree[inside] = .some(nil)
                    add(node, inside)
                }
            }
        }
        add(root, "")
        return tree
    }
}
