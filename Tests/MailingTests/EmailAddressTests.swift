import Testing

@testable import Mailing

private func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

/// A domain of exactly so many octets, for 5 to 253.
private func domain(octets: Int) -> String {
    var rest = octets - 4
    var labels: [String] = []
    while rest > 0 {
        var length = min(rest, 63)
        if rest - length == 1 { length -= 1 }
        labels.append(repeated("d", length))
        rest -= length + 1
    }
    return labels.joined(separator: ".") + ".org"
}

@Suite struct `An email address` {
    @Test(arguments: [
        "a@b.example", "jan@example.org", "jan.de.boer@example.org", "jan+nieuws@example.org", "o'brien@example.org",
        "!#$%&'*+-/=?^_`{|}~@example.org", "1@2.example", "a-@x-y.example", "_@a--b.example",
        "jan@xn--bcher-kva.example",
        "jan@a.b.c.d.e.f.example", "x@1.2.3.4.example", "jörg@example.org", "用户@example.org",
    ]) func `is a local part of atoms and a domain of at least two labels`(text: String) throws {
        #expect(try address(text).text == text)
    }

    @Test(arguments: [
        "", "@", "jan", "jan@", "@example.org", "jan@example", "jan@@example.org", "jan@a@example.org",
        ".jan@example.org", "jan.@example.org", "jan..boer@example.org", ".@example.org", "jan boer@example.org",
        " jan@example.org", "jan@example.org ", "jan@exa mple.org", "\"jan\"@example.org", "jan(x)@example.org",
        "<jan@example.org>", "jan@example.org>", "jan,piet@example.org", "jan;piet@example.org", "jan:@example.org",
        "ja\\n@example.org", "[jan]@example.org", "jan@.example.org", "jan@example.org.", "jan@example..org",
        "jan@-example.org", "jan@example-.org", "jan@exam_ple.org", "jan@exam!ple.org", "jan@[192.0.2.1]",
        "jan@192.0.2.1", "jan@example.123", "mailto:jan@example.org", "Jan <jan@example.org>", "jan@bü_cher.example",
        "jan@bü cher.example", "jan@example.org/x", "jan@[IPv6:::1]",
    ]) func `is nothing else`(text: String) {
        #expect(throws: EmailAddress.Invalid.self) { try address(text) }
    }

    @Test(arguments: [
        "u@x.example\r\nRCPT TO:<v@y.example", "u@x.example\r", "u@x.example\n", "\nu@x.example", "u\r\n@x.example",
        "u@x\r\n.example", "u\u{0}@x.example", "u@x.example\u{0}", "u\u{1B}@x.example", "u\u{7F}@x.example",
        "u\t@x.example", "<u@x>\r\nRCPT TO:<v@y", "é\r\n@x.example", "u@é\n.example",
    ]) func `never carries a line break or another control character into a command (SMTP-09)`(text: String) {
        #expect(throws: EmailAddress.Invalid.self) { try address(text) }
    }

    @Test func `never carries any control character, wherever it stands`() {
        for value in Array(0..<32) + Array(127..<160) {
            guard let control = UnicodeScalar(value) else { continue }
            for (before, after) in [
                ("", "u@x.example"), ("u", "v@x.example"), ("u@x", "y.example"), ("u@x.example", ""),
            ] {
                let text = before + String(control) + after
                #expect(throws: EmailAddress.Invalid.self, "U+\(String(value, radix: 16))") { try address(text) }
            }
        }
    }

    @Test(arguments: [
        "jan\u{A0}@example.org", "jan@example.org\u{A0}", "\u{FEFF}jan@example.org", "jan@exam\u{200B}ple.org",
        "jan\u{2028}@example.org", "jan\u{2029}x@example.org", "jan@example.org\u{202C}", "jan\u{AD}@example.org",
        "jan\u{3000}boer@example.org", "jan\u{85}@example.org",
    ]) func `carries no blank or mark that nobody sees, as copied text does`(text: String) {
        #expect(throws: EmailAddress.Invalid.self) { try address(text) }
    }

    @Test func `has at most 64 octets before the @`() throws {
        #expect(try address(repeated("l", 64) + "@example.org").text.utf8.count == 76)
        #expect(throws: EmailAddress.Invalid.self) { try address(repeated("l", 65) + "@example.org") }
        #expect(throws: Never.self) { try address(repeated("é", 32) + "@example.org") }
        #expect(throws: EmailAddress.Invalid.self) { try address(repeated("é", 32) + "l@example.org") }
    }

    @Test func `has at most 254 octets`() throws {
        let local = repeated("l", 64) + "@"
        #expect(try address(local + domain(octets: 189)).text.utf8.count == 254)
        #expect(throws: EmailAddress.Invalid.self) { try address(local + domain(octets: 190)) }
        #expect(try address("l@" + domain(octets: 252)).text.utf8.count == 254)
        #expect(throws: EmailAddress.Invalid.self) { try address("l@" + domain(octets: 253)) }
    }

    @Test func `is refused in few words, however long it is`() throws {
        for label in [repeated("d", 60_000), repeated("é", 60_000), repeated("_", 60_000)] {
            let invalid = #expect(throws: EmailAddress.Invalid.self) { try address("a@\(label).org") }
            #expect((1...200).contains(invalid?.description.unicodeScalars.count ?? 0))
        }
    }

    @Test func `has domain labels of at most 63 octets, counted in ASCII`() throws {
        #expect(throws: Never.self) { try address("a@" + repeated("d", 63) + ".org") }
        #expect(throws: EmailAddress.Invalid.self) { try address("a@" + repeated("d", 64) + ".org") }
        #expect(throws: EmailAddress.Invalid.self) { try address("a@" + repeated("d", 60) + "é.org") }
    }

    /// U-labels with their A-labels.
    @Test(arguments: [
        ("bücher", "xn--bcher-kva"), ("münchen", "xn--mnchen-3ya"), ("faß", "xn--fa-hia"), ("café", "xn--caf-dma"),
        ("ü", "xn--tda"), ("例え", "xn--r8jz45g"), ("テスト", "xn--zckzah"), ("中国", "xn--fiqs8s"),
        ("中國", "xn--fiqz9s"), ("香港", "xn--j6w193g"), ("測試", "xn--g6w251d"), ("测试", "xn--0zwm56d"),
        ("пример", "xn--e1afmkfd"), ("испытание", "xn--80akhbyknj4f"), ("рф", "xn--p1ai"),
        ("παράδειγμα", "xn--hxajbheg2az3al"), ("δοκιμή", "xn--jxalpdlp"), ("إختبار", "xn--kgbechtv"),
        ("آزمایشی", "xn--hgbk6aj7f53bba"), ("مصر", "xn--wgbh1c"), ("테스트", "xn--9t4b11yi5a"),
        ("परीक्षा", "xn--11b5bs3a9aj6g"), ("பரிட்சை", "xn--hlcj6aya9esc7a"), ("טעסט", "xn--deba0ad"),
        ("ไทย", "xn--o3cw4h"), ("BÜCHER", "xn--bcher-kva"), ("РФ", "xn--p1ai"), ("bu\u{308}cher", "xn--bcher-kva"),
    ]) func `has its domain as A-labels`(label: String, ascii: String) throws {
        #expect(try address("a@\(label).example").text == "a@\(ascii).example")
        #expect(try address("a@\(label).example").domain == "\(ascii).example")
        #expect(try address("a@\(label).example") == address("a@\(ascii.uppercased()).example"))
        #expect(try !address("a@\(label).example").needsSMTPUTF8)
    }

    @Test(arguments: [
        ("Jan@Example.ORG", "jan@example.org"), ("JÖRG@example.org", "jörg@example.org"),
        ("jo\u{308}rg@example.org", "j\u{F6}rg@example.org"), ("JO\u{308}RG@example.org", "j\u{F6}rg@example.org"),
        ("J\u{30C}an@example.org", "\u{1F0}an@example.org"), ("a@J\u{30C}an.example", "a@\u{1F0}an.example"),
        ("jan@BÜCHER.example", "jan@xn--bcher-kva.example"), ("\u{212A}im@example.org", "kim@example.org"),
    ]) func `is one person's in either case and either composition`(one: String, other: String) throws {
        let (left, right) = (try address(one), try address(other))
        #expect(left == right)
        #expect(Array(left.key.utf8) == Array(right.key.utf8))
        #expect(Set([left, right]).count == 1)
    }

    @Test(arguments: [
        ("jan@example.org", "jan+x@example.org"), ("jan@example.org", "j.an@example.org"),
        ("jan@example.org", "jan@sub.example.org"), ("jorg@example.org", "jörg@example.org"),
        ("jan@bucher.example", "jan@bücher.example"),
    ]) func `is another person's where anything else differs, a tag included`(one: String, other: String) throws {
        #expect(try address(one) != address(other))
    }

    @Test func `is written as its owner writes it, but for the domain`() throws {
        #expect(try address("Jan.De.Boer@Example.ORG").text == "Jan.De.Boer@example.org")
        #expect(try "\(address("Jan@Example.ORG"))" == "Jan@example.org")
    }

    @Test func `needs SMTPUTF8 only for what stands before the @`() throws {
        #expect(try address("jörg@example.org").needsSMTPUTF8)
        #expect(try !address("jorg@bücher.example").needsSMTPUTF8)
    }

    @Test func `read back from storage is what it was`() throws {
        let written = try address("Jörg@Bücher.example")
        let read = EmailAddress(stored: written.text, key: written.key)
        #expect(read == written)
        #expect(read.text == written.text && read.domain == "xn--bcher-kva.example" && read.needsSMTPUTF8)
    }

    @Test func `asks for composition only of text that is not ASCII`() throws {
        let plain = try EmailAddress(parsing: "Jan@Example.org") { _ in "x" }
        #expect(plain.key == "jan@example.org")
    }

    @Test(arguments: [
        ("jan", "there is no @ in it"), ("@a.example", "there is nothing before the @"),
        ("jan@", "there is nothing behind the @"), ("jan@example", "the domain has no dot in it"),
        ("jan@192.0.2.1", "the domain is an IP address"), ("u\n@x.example", "it contains the control character 0xa"),
        ("jan\u{A0}@x.example", "it contains the invisible character U+00A0"),
        ("j n@x.example", "the part before the @ contains “ ”, which is not allowed there"),
    ]) func `is refused in words for the person who wrote it`(text: String, sentence: String) {
        #expect(throws: EmailAddress.Invalid(description: sentence)) { try address(text) }
    }
}
