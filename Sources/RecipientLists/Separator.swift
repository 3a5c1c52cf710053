/// What stands between two fields, and how that is known.
struct Separator: Equatable {
    var byte: UInt8
    /// Whether the first line is Excel's `sep=;`, which is no row.
    var isDeclared: Bool

    /// - Parameter head: the beginning of a list, with the whole header.
    ///
    /// Obeys a first line `sep=X`, where X is a tab or any ASCII punctuation but a quotation mark. Otherwise takes what
    /// occurs most often in the header outside quotation marks: semicolon, tab or comma, in this order when equally
    /// often. A header with none of them has one column.
    init(in head: [UInt8]) {
        if let declared = Self.declared(in: head) {
            self.init(byte: declared, isDeclared: true)
        } else {
            self.init(byte: Self.mostFrequent(in: head), isDeclared: false)
        }
    }

    init(byte: UInt8, isDeclared: Bool) {
        self.byte = byte
        self.isDeclared = isDeclared
    }

    private static func declared(in head: [UInt8]) -> UInt8? {
        guard head.count >= 5, String(decoding: head[..<4], as: UTF8.self).lowercased() == "sep=" else { return nil }
        let byte = head[4]
        let isText = Unicode.Scalar(byte).properties.isAlphabetic || (0x30...0x39).contains(byte)
        guard byte == Byte.tab || (byte > Byte.space && byte < Byte.delete && !isText && byte != Byte.quote) else {
            return nil
        }
        guard head.count == 5 || RecordScanner.isLineBreak(head[5]) else { return nil }
        return byte
    }

    private static func mostFrequent(in head: [UInt8]) -> UInt8 {
        let candidates = [Byte.semicolon, Byte.tab, Byte.comma]
        var counts = [0, 0, 0]
        var (isQuoted, mayOpen) = (false, true)
        for byte in head.drop(while: RecordScanner.isLineBreak) {
            if byte == Byte.quote && (isQuoted || mayOpen) {
                isQuoted.toggle()
                // A doubled quotation mark closes and opens again.
                mayOpen = !isQuoted
            } else if !isQuoted {
                if RecordScanner.isLineBreak(byte) { break }
                let candidate = candidates.firstIndex(of: byte)
                if let candidate { counts[candidate] += 1 }
                mayOpen = candidate != nil
            }
        }
        let most = counts.max() ?? 0
        guard most > 0, let index = counts.firstIndex(of: most) else { return Byte.comma }
        return candidates[index]
    }
}
