import Glibc
import TestSupport
import Testing

@testable import Systemd

@Suite struct CredentialsTests {
    private let directory: TemporaryDirectory
    private let environment: [String: String]

    init() throws {
        directory = try TemporaryDirectory()
        environment = ["CREDENTIALS_DIRECTORY": directory.path]
    }

    @Test(arguments: [
        ("hunter2\n", "hunter2"), ("hunter2\r\n", "hunter2"), ("hunter2", "hunter2"), ("a\n\n", "a\n"),
        (" with spaces \n", " with spaces "), ("geheim-é\n", "geheim-é"),
    ])
    func `a credential is the text of its file without the line break at the end`(
        content: String, secret: String
    ) throws {
        try directory.write(content, to: "smtp-password")
        #expect(try Credentials.read(name: "smtp-password", environment: environment) == secret)
    }

    @Test func `outside systemd the error says what to do`() {
        let error = #expect(throws: CredentialError.notUnderSystemd("smtp-password")) {
            try Credentials.read(name: "smtp-password", environment: [:])
        }
        #expect(error?.description.contains("LoadCredential=smtp-password:FILE") == true)
        #expect(throws: CredentialError.notUnderSystemd("smtp-password")) {
            try Credentials.read(name: "smtp-password", environment: ["CREDENTIALS_DIRECTORY": ""])
        }
    }

    @Test func `a credential that the unit does not load is missing`() {
        let error = #expect(throws: CredentialError.missing("smtp-password")) {
            try Credentials.read(name: "smtp-password", environment: environment)
        }
        #expect(error?.description.contains("LoadCredential=smtp-password:FILE") == true)
    }

    @Test(arguments: ["", "../shadow", "a/b", "a b", "é", "a\n", String(repeating: "a", count: 256)])
    func `a name that could lead elsewhere is refused`(name: String) {
        #expect(throws: CredentialError.badName(name)) {
            try Credentials.read(name: name, environment: environment)
        }
    }

    @Test(arguments: [".", ".."])
    func `a directory is no credential`(name: String) {
        #expect(throws: CredentialError.notAFile(name)) {
            try Credentials.read(name: name, environment: environment)
        }
    }

    @Test func `a pipe is refused at once instead of waiting for a writer`() throws {
        try #require(mkfifo(directory.path("pipe"), 0o600) == 0)
        #expect(throws: CredentialError.notAFile("pipe")) {
            try Credentials.read(name: "pipe", environment: environment)
        }
    }

    @Test func `a symbolic link is not followed`() throws {
        try directory.write("secret", to: "target")
        try #require(symlink("target", directory.path("link")) == 0)
        #expect(throws: CredentialError.unreadable("link", errorNumber: ELOOP)) {
            try Credentials.read(name: "link", environment: environment)
        }
    }

    @Test func `a credential may have a mebibyte and not a byte more`() throws {
        try directory.write(String(repeating: "x", count: 1 << 20), to: "largest")
        #expect(try Credentials.read(name: "largest", environment: environment).utf8.count == 1 << 20)
        try directory.write(String(repeating: "x", count: 1 << 20 + 1), to: "larger")
        #expect(throws: CredentialError.tooLarge("larger")) {
            try Credentials.read(name: "larger", environment: environment)
        }
    }

    @Test(arguments: ["", "\n", "\r\n"])
    func `an empty credential is an error, not an empty password`(content: String) throws {
        try directory.write(content, to: "empty")
        #expect(throws: CredentialError.empty("empty")) {
            try Credentials.read(name: "empty", environment: environment)
        }
    }

    @Test(arguments: [[0xFF, 0xFE], Array("half\0secret".utf8)])
    func `bytes that are no text are refused, and the error does not repeat them`(content: [UInt8]) throws {
        try directory.write(content, to: "binary")
        let error = #expect(throws: CredentialError.notText("binary")) {
            try Credentials.read(name: "binary", environment: environment)
        }
        #expect(error?.description.contains("half") == false)
    }
}
