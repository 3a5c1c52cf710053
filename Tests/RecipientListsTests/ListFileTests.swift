import Foundation
import RecipientLists
import Testing

struct ListFileTests {
    @Test func `a list that is not there, a directory and a symbolic link are refused with the reason`() throws {
        let scratch = try Scratch()
        try scratch.write("email\na@example.org\n".utf8, to: "list.csv")
        try FileManager.default.createSymbolicLink(
            atPath: scratch.path("link.csv"), withDestinationPath: scratch.path("list.csv"))
        #expect(throws: ListError(message: "the list cannot be opened: No such file or directory")) {
            try ListReader(path: scratch.path("none.csv"))
        }
        #expect(throws: ListError(message: "the list is not a regular file")) {
            try ListReader(path: scratch.directory.path)
        }
        #expect(throws: ListError(message: "the list cannot be opened: Too many levels of symbolic links")) {
            try ListReader(path: scratch.path("link.csv"))
        }
        #expect(try ListContents(path: scratch.path("list.csv")).rows.count == 1)
    }
}
