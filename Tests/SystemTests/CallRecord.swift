import Foundation
import TestSupport

/// One call of a daemon, as `interpose/entry.h` has it.
struct RecordedCall: Sendable {
    enum What: UInt32, Sendable, CaseIterable {
        case write = 1, send, fsync, fdatasync, truncate, create, makeDirectory, unlink, rename, link
    }

    let what: What
    /// From 1, in the order in which the calls were made.
    let number: Int
    /// What it returned, or its errno, negative.
    let result: Int64
    let isStruck: Bool
    /// Of the file, of what was made, renamed or removed, or of the connection's socket.
    let inode: UInt64
    /// Of the directory in which `name` is.
    let directory: UInt64
    /// Of the directory in which `otherName` is.
    let otherDirectory: UInt64
    /// Where `write` wrote; the new length of `truncate`.
    let offset: Int64
    let flags: UInt32
    /// In its directory; for calls on an open file its path below the root, with a slash first.
    let name: String
    let otherName: String
    /// What was written or sent, if that was recorded.
    let bytes: ArraySlice<UInt8>

    /// `create` made a file that was not there.
    var isNew: Bool { flags & 1 != 0 }
    /// `create` emptied a file.
    var isEmptied: Bool { flags & 2 != 0 }
    var hasFailed: Bool { result < 0 }

    /// The call and what it was about, without names that differ from run to run.
    var place: String {
        let subject = what == .send ? "relay" : Self.general(name.split(separator: "/").last.map(String.init) ?? "")
        return otherName.isEmpty ? "\(what) \(subject)" : "\(what) \(subject) to \(Self.general(otherName))"
    }

    private static func general(_ name: String) -> String {
        name.filter(\.isHexDigit).count >= 32 ? "ID" : name
    }
}

/// The record of one run.
enum CallRecord {
    private static let magic: UInt32 = 0x6361_6c6c
    private static let headLength = 80

    /// All calls in their order; none if there is no record yet. What a kill cut off at the end is left out.
    static func read(_ path: String) throws -> [RecordedCall] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        var calls: [RecordedCall] = []
        var position = 0
        while position + headLength <= bytes.count {
            guard let (call, next) = try call(bytes, position) else { break }
            calls.append(call)
            position = next
        }
        return calls
    }

    private static func call(_ bytes: [UInt8], _ start: Int) throws -> (RecordedCall, Int)? {
        func integer<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start + offset, as: Number.self) }
        }
        guard integer(0, UInt32.self) == magic, let what = RecordedCall.What(rawValue: integer(4, UInt32.self)) else {
            throw TestSupportError("the record of calls is damaged at byte \(start)")
        }
        let lengths = [68, 72, 76].map { Int(integer($0, UInt32.self)) }
        var ends = [start + headLength]
        for length in lengths { ends.append((ends.last ?? 0) + length) }
        guard let end = ends.last, end <= bytes.count else { return nil }
        func text(_ index: Int) -> String { String(decoding: bytes[ends[index]..<ends[index + 1]], as: UTF8.self) }
        let call = RecordedCall(
            what: what, number: Int(integer(16, UInt64.self)), result: integer(24, Int64.self),
            isStruck: integer(64, UInt32.self) != 0, inode: integer(32, UInt64.self),
            directory: integer(40, UInt64.self), otherDirectory: integer(48, UInt64.self),
            offset: integer(56, Int64.self), flags: integer(12, UInt32.self), name: text(0), otherName: text(1),
            bytes: bytes[ends[2]..<ends[3]])
        return (call, end)
    }
}
