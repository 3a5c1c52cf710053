import Foundation
import Glibc
import TestSupport

extension HostileDrop {
    private static let job = Array(JobText.campaign("hostile", to: [.list("list.csv")]).utf8)

    /// Drops that are not what a file or a directory should be.
    static let specialFiles = [
        HostileDrop("link-to-file.json", .made { try link("/etc/passwd", at: $0) }),
        HostileDrop("link-to-nothing.json", .made { try link("/nonexistent/file", at: $0) }),
        HostileDrop("link-to-directory.job", .made { try link("/etc", at: $0) }),
        HostileDrop("link-to-itself.job", .made { try link("link-to-itself.job", at: $0) }),
        HostileDrop("hard-link.json", .made { try makeHardLink($0) }),
        HostileDrop("pipe.json", .made { try check(mkfifo($0, 0o644), "mkfifo") }),
        HostileDrop("socket.json", .made { try makeSocket($0) }),
        HostileDrop("device.json", .made { try makeDevice($0) }),
        HostileDrop("sparse.json", .made { try makeSparse($0) }),
        HostileDrop("no-mode.json", .made { try makeUnreadable($0) }),
        HostileDrop("job-is-link.job", bundle(but: "job.json") { try link("/etc/passwd", at: $0) }),
        HostileDrop("list-is-link.job", bundle(but: "list.csv") { try link("/etc/passwd", at: $0) }),
        HostileDrop("list-is-pipe.job", bundle(but: "list.csv") { try check(mkfifo($0, 0o644), "mkfifo") }),
        HostileDrop("list-is-directory.job", bundle(but: "list.csv") { try makeBundle($0 + "/inner", [:]) }),
        HostileDrop("list-is-sparse.job", bundle(but: "list.csv") { try makeSparse($0) }),
        HostileDrop("list-is-hard-link.job", bundle(but: "list.csv") { try makeHardLink($0) }),
    ]

    /// A bundle of a job and a list, one of which `make` makes instead.
    private static func bundle(but name: String, _ make: @escaping @Sendable (String) throws -> Void) -> Content {
        .made { path in
            var files = ["job.json": job, "list.csv": Array("email\nreader@readers.example\n".utf8)]
            files[name] = nil
            try makeBundle(path, files)
            try make("\(path)/\(name)")
        }
    }

    private static func link(_ target: String, at path: String) throws {
        try check(symlink(target, path), "symlink")
    }

    /// The other name stays in tmp/.
    private static func makeHardLink(_ path: String) throws {
        let other = "\(URL(fileURLWithPath: path).deletingLastPathComponent().path)/other-\(UUID().uuidString)"
        try Data(job).write(to: URL(fileURLWithPath: other))
        try check(Glibc.link(other, path), "link")
    }

    private static func makeSocket(_ path: String) throws {
        let socket = try NotifySocket(path: path + ".socket")
        try check(rename(socket.path, path), "rename")
    }

    /// Only root can make a device; others get a pipe.
    private static func makeDevice(_ path: String) throws {
        if mknod(path, S_IFCHR | 0o644, 0x0103) != 0 { try check(mkfifo(path, 0o644), "mkfifo") }
    }

    private static func makeSparse(_ path: String) throws {
        try Data(job).write(to: URL(fileURLWithPath: path))
        try check(truncate(path, 20 << 30), "truncate")
    }

    /// Root reads it all the same, so its text is none either.
    private static func makeUnreadable(_ path: String) throws {
        try Data("no JSON".utf8).write(to: URL(fileURLWithPath: path))
        try check(chmod(path, 0), "chmod")
    }
}
