import Foundation
import Testing

@testable import MIME

@Suite struct `An attachment` {
    private func inDirectory(_ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory)
    }

    @Test func `is read from a file and encoded`() throws {
        try inDirectory { directory in
            let file = directory.appendingPathComponent("x")
            try Data("hallo".utf8).write(to: file)
            let attachment = try MIME.Attachment.load(path: file.path, name: "folder.pdf")
            let entity = String(decoding: attachment.entity, as: UTF8.self)
            #expect(entity.hasPrefix("Content-Type: application/pdf"))
            #expect(entity.contains("aGFsbG8="))
        }
    }

    @Test func `is not read through a link, nor from a directory or a device`() throws {
        try inDirectory { directory in
            let file = directory.appendingPathComponent("x")
            let link = directory.appendingPathComponent("link")
            try Data("hallo".utf8).write(to: file)
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
            for path in [link.path, directory.path, "/dev/zero", directory.path + "/none"] {
                #expect(throws: TemplateError.self) { try MIME.Attachment.load(path: path, name: "a.pdf") }
            }
        }
    }

    @Test func `has a name that no header can be made from`() {
        for name in ["", " ", "a\r\nX: y", "a/b", "a\u{0}", String(repeating: "a", count: 256)] {
            #expect(throws: TemplateError.self) { try MIME.Attachment(name: name, content: []) }
        }
    }

    @Test func `is refused when it is too large`() throws {
        try inDirectory { directory in
            let file = directory.appendingPathComponent("x")
            try Data().write(to: file)
            let handle = try FileHandle(forWritingTo: file)
            try handle.truncate(atOffset: UInt64(MIME.Attachment.maximumSize) + 1)
            try handle.close()
            #expect(throws: TemplateError.self) { try MIME.Attachment.load(path: file.path, name: "a.pdf") }
        }
    }
}
