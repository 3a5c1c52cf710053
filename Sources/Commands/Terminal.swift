import Foundation

/// Where all goes through that commands write.
///
/// Texts come from relays, from lists and from other people's jobs: in what is said to people nothing of them steers
/// the terminal or begins a line of its own.
enum Terminal {
    /// Writes lines to standard output; each stays one line.
    static func say(_ lines: [String]) {
        write(text(lines))
    }

    static func say(_ line: String) { say([line]) }

    /// Writes lines to standard error; each stays one line.
    static func complain(_ lines: [String]) {
        FileHandle.standardError.write(Data(text(lines).utf8))
    }

    static func complain(_ line: String) { complain([line]) }

    /// Writes a document of JSON to standard output.
    static func say(document: String) {
        write(escaped(document) + "\n")
    }

    /// Writes to standard output as it is: what steers the terminal, and holds no text that was not cleaned.
    static func write(_ text: String) {
        write(Array(text.utf8))
    }

    static func write(_ bytes: [UInt8]) {
        FileHandle.standardOutput.write(Data(bytes))
    }

    static func text(_ lines: [String]) -> String {
        lines.map { ReportText.clean($0) + "\n" }.joined()
    }

    /// The same document, with `\uXXXX` for what JSON may have as it is and a terminal would obey.
    static func escaped(_ document: String) -> String {
        var text = ""
        for scalar in document.unicodeScalars {
            // What is below stands only between the values.
            if scalar.value >= 0x7F, ReportText.steers(scalar) {
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
