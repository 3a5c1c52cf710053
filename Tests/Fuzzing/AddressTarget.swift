import Foundation
import Mailing

/// A text as an address of a list, a job or the configuration.
enum AddressTarget {
    static func check(_ input: [UInt8]) {
        let text = String(decoding: input, as: UTF8.self)
        do throws(EmailAddress.Invalid) {
            let address = try AddressText.read(text)
            checkForm(address)
            checkDomain(address, writtenAs: text)
            checkSpellings(address, writtenAs: text)
        } catch {
            require(!hasControl(error.description), "no control character gets into an explanation")
            require(error.description.unicodeScalars.count <= 300, "an explanation is short: \(error)")
        }
    }

    /// What SMTP can carry between `<` and `>` (RFC 5321 4.1.2, RFC 6531 3.3) without a quoted string.
    private static func checkForm(_ address: EmailAddress) {
        let parts = address.text.split(separator: "@", omittingEmptySubsequences: false)
        require(parts.count == 2, "there is one @")
        let forbidden = Array("<>()[]\\,;:\"@ ".utf8)
        require(
            parts[0].utf8.allSatisfy { $0 > 32 && $0 != 127 && !forbidden.contains($0) }, "the local part is atoms")
        require((1...64).contains(parts[0].utf8.count), "the local part has 1 to 64 octets")
        require(!".".contains(parts[0].prefix(1)) && !".".contains(parts[0].suffix(1)), "no dot at an end")
        require(!parts[0].utf8.elementsEqual("".utf8) && !parts[0].contains(".."), "no two dots")
        require(parts[1].utf8.count <= 253 && address.text.utf8.count <= 254, "not longer than a path may be")
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        require(labels.count >= 2, "the domain has two labels")
        for label in labels {
            require((1...63).contains(label.utf8.count), "a label has 1 to 63 octets")
            let isPlain = label.utf8.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789-".utf8.contains($0) }
            require(isPlain && label.utf8.first != 45 && label.utf8.last != 45, "“\(label)” is a label")
        }
        require(address.domain == parts[1], "the domain is what follows the @")
        require(address.needsSMTPUTF8 == !address.text.allSatisfy(\.isASCII), "SMTPUTF8 is for what is not ASCII")
        require(address.key.hasSuffix("@" + parts[1]), "the key has the same domain")
    }

    /// Each A-label that we made stands for the label that was written.
    private static func checkDomain(_ address: EmailAddress, writtenAs text: String) {
        let source = text.precomposedStringWithCanonicalMapping
        let written = source.utf8.lastIndex(of: 64).map { source[source.utf8.index(after: $0)...] } ?? ""
        let before = written.unicodeScalars.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let after = address.domain.split(separator: ".", omittingEmptySubsequences: false)
        require(before.count == after.count, "no label is lost")
        for (label, ascii) in zip(before, after) {
            let expected = label.lowercased().precomposedStringWithCanonicalMapping
            if expected.utf8.allSatisfy({ $0 < 128 }) {
                require(isSameText(expected, ascii), "an ASCII label stays what it is")
            } else {
                require(ascii.hasPrefix("xn--"), "“\(expected)” becomes an A-label")
                let decoded = PunycodeDecoder.decode(ascii.dropFirst(4))
                require(decoded.map { isSameText($0, expected) } ?? false, "\(ascii) does not say “\(expected)”")
            }
        }
    }

    /// One person stays one person.
    private static func checkSpellings(_ address: EmailAddress, writtenAs text: String) {
        func key(_ text: String, _ what: String) -> String {
            do throws(EmailAddress.Invalid) {
                return try AddressText.read(text).key
            } catch {
                fatalError("“\(text)” (\(what)) is no address: \(error)")
            }
        }
        guard let again = try? AddressText.read(address.text) else { fatalError("“\(address)” is not read again") }
        require(isSameText(again.text, address.text), "what was read is read again as it is")
        require(isSameText(again.key, address.key), "what was read is the same person again")
        require(again == address && again.hashValue == address.hashValue, "equal, and so is the hash")
        let stored = EmailAddress(stored: address.text, key: address.key)
        require(stored == address && stored.domain == address.domain, "what is stored is what was read")
        let decomposed = address.text.decomposedStringWithCanonicalMapping
        if decomposed.utf8.count < 60 {
            require(isSameText(key(decomposed, "decomposed"), address.key), "the composition names nobody else")
        }
        if text.utf8.allSatisfy({ $0 < 128 }) {
            require(isSameText(key(text.uppercased(), "in capitals"), address.key), "capitals name nobody else")
        }
        for wrapped in [" \(text)", "<\(text)>", "\(text)\r\n", "\(text)\u{0}", "\(text)\nx", "x \(text)"] {
            require((try? AddressText.read(wrapped)) == nil, "“\(wrapped)” is an address")
        }
    }
}

/// RFC 3492 section 6.2, written for this comparison only.
enum PunycodeDecoder {
    /// Nil if it is no Punycode.
    static func decode(_ text: some StringProtocol) -> String? {
        let bytes = Array(text.utf8)
        let delimiter = bytes.lastIndex(of: 45)
        var scalars = delimiter.map { bytes[..<$0].map(UInt32.init) } ?? []
        var rest = bytes[(delimiter.map { $0 + 1 } ?? 0)...]
        var (code, index, bias) = (128, 0, 72)
        while !rest.isEmpty {
            let start = index
            var (weight, place) = (1, 36)
            while true {
                guard let byte = rest.popFirst(), let digit = value(byte) else { return nil }
                index += digit * weight
                let threshold = min(max(place - bias, 1), 26)
                if digit < threshold { break }
                weight *= 36 - threshold
                place += 36
                guard weight < 1 << 40 else { return nil }
            }
            bias = adapted(index - start, scalars.count + 1, isFirst: start == 0)
            code += index / (scalars.count + 1)
            index %= scalars.count + 1
            guard let scalar = UnicodeScalar(UInt32(truncatingIfNeeded: code)) else { return nil }
            scalars.insert(scalar.value, at: index)
            index += 1
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars.compactMap(UnicodeScalar.init))
        return String(view)
    }

    private static func value(_ byte: UInt8) -> Int? {
        switch byte {
        case 97...122: Int(byte) - 97
        case 48...57: Int(byte) - 22
        default: nil
        }
    }

    private static func adapted(_ delta: Int, _ points: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / points
        var place = 0
        while delta > 35 * 26 / 2 {
            delta /= 35
            place += 36
        }
        return place + 36 * delta / (delta + 38)
    }
}
