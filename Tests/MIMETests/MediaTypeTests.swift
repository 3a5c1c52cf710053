import Testing

@testable import MIME

@Suite struct `A media type` {
    @Test func `follows from the extension of a file name`() {
        let wanted = [
            "a.pdf": "application/pdf", "A.PDF": "application/pdf", "a.b.png": "image/png",
            "a": "application/octet-stream",
            "pdf": "application/octet-stream", "a.": "application/octet-stream", ".pdf": "application/pdf",
            "a.exe": "application/octet-stream",
        ]
        for (name, type) in wanted {
            let media = MediaType(fileName: name)
            #expect("\(media.type)/\(media.subtype)" == type)
        }
    }
}
