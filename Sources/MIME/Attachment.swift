import Foundation

/// A file that goes with every message of a campaign, encoded once.
package struct Attachment: Sendable, Equatable {
    /// The name the recipient sees.
    package let name: String

    /// A file is never larger than this many bytes, before encoding: larger messages are refused by most servers.
    package static let maximumSize = 20_971_520

    /// A name is never longer than this many UTF-8 bytes.
    package static let maximumNameLength = 255

    /// The whole MIME part, its header fields included.
    let entity: [UInt8]

    /// Encodes content that is already in memory.
    ///
    /// - Throws: a `TemplateError` of the part `attachments`.
    package init(name: String, content: [UInt8]) throws(TemplateError) {
        if TextCheck.isBlank(name) || name.utf8.count > Self.maximumNameLength
            || TextCheck.hasControl(name, allowingLineBreaks: false) || name.contains("/")
        {
            throw Self.error(
                "An attachment's name is empty, longer than \(Self.maximumNameLength) bytes, or has a \"/\" or a "
                    + "control character; rename the file.")
        }
        guard content.count <= Self.maximumSize else {
            throw Self.error("The attachment \"\(name)\" is larger than \(Self.maximumSize) bytes; link to it instead.")
        }
        self.name = name
        do {
            self.entity = try Entity.attachment(content, name: name)
        } catch {
            throw Self.error("The attachment \"\(name)\" cannot be encoded. \(error.sentence)")
        }
    }

    /// Reads and encodes a file. A symbolic link, a device or a FIFO is refused.
    ///
    /// - Parameter path: the daemon's own copy.
    /// - Throws: a `TemplateError` of the part `attachments`.
    package static func load(path: String, name: String) throws(TemplateError) -> Attachment {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw error("The attachment \"\(name)\" cannot be opened: \(String(cString: strerror(errno))).")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw error("The attachment \"\(name)\" is not a regular file.")
        }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 262_144)
        while content.count <= maximumSize {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw error("The attachment \"\(name)\" cannot be read: \(String(cString: strerror(errno))).")
            }
            if count == 0 { break }
            content += buffer[..<count]
        }
        return try Attachment(name: name, content: content)
    }

    private static func error(_ message: String) -> TemplateError {
        TemplateError(part: .attachments, message: message)
    }
}
