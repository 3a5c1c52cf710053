import Foundation
import Testing

@testable import MIME

private func text(_ text: String) throws -> String {
    String(decoding: try Entity.text(text, subtype: "plain"), as: UTF8.self)
}

@Suite struct `An entity` {
    @Test func `mostly ASCII is quoted-printable, everything else base64`() throws {
        #expect(try text("een klein café\n").contains("quoted-printable\r\n\r\neen klein caf=C3=A9\r\n"))
        let base64 = Data("你好\r\n".utf8).base64EncodedString()
        #expect(try text("你好\n").contains("Content-Transfer-Encoding: base64\r\n\r\n\(base64)\r\n"))
    }

    @Test func `space at the end of a line is encoded`() throws {
        let body = try text("a \nb\t\n")
        #expect(body.contains("a=20\r\nb=09\r\n"))
    }

    @Test func `no line begins with From, and none gets too long by it`() throws {
        let long = "From " + String(repeating: "x", count: 71)
        let body = try text("From a\n\(long)\n\(long)x\nFrom\n")
        for line in body.components(separatedBy: "\r\n") {
            #expect(!line.hasPrefix("From "))
            #expect(line.utf8.count <= 76)
        }
        let message = Array("MIME-Version: 1.0\r\n\(body)".utf8)
        #expect(try ReadMail(message).parts[0].text == "From a\r\n\(long)\r\n\(long)x\r\nFrom\r\n")
    }

    @Test func `parts stand between boundary lines and are copied as they are`() {
        let bytes = Entity.multipart(
            "mixed", boundary: "=_x", parts: [Array("A: b\r\n\r\nc".utf8), Array("\r\nd".utf8)])
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "Content-Type: multipart/mixed;\r\n boundary=\"=_x\"\r\n\r\n"
                + "--=_x\r\nA: b\r\n\r\nc\r\n--=_x\r\n\r\nd\r\n--=_x--\r\n")
    }

    @Test func `a text file says that it is UTF-8 only when it is`() throws {
        let unicode = String(decoding: try Entity.attachment(Array("é".utf8), name: "a.txt"), as: UTF8.self)
        let latin = String(decoding: try Entity.attachment([0xE9], name: "a.txt"), as: UTF8.self)
        #expect(unicode.contains("charset=utf-8"))
        #expect(!latin.contains("charset"))
    }

    @Test(arguments: [
        "folder.pdf", "één \"naam\"; x, y.pdf", String(repeating: "😀", count: 60) + ".pdf", "%41.pdf", "a'b''c.pdf",
        String(repeating: "lang ", count: 45) + ".pdf", "قائمة.pdf",
    ]) func `a file name comes back as it was`(name: String) throws {
        let entity = try Entity.attachment([1, 2, 3], name: name)
        expectFitForAnyRelay(entity)
        #expect(try ReadMail(Array("MIME-Version: 1.0\r\n".utf8) + entity).parts[0].fileName == name)
    }
}
