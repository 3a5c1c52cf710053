import Foundation
import TestSupport

/// strace around the daemon: the witness for the library that strikes calls.
enum Strace {
    /// All system calls by which a file is changed or something is sent.
    private static let calls =
        "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,sync,syncfs,rename,renameat,renameat2,"
        + "link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,truncate,ftruncate,fallocate,mkdir,mkdirat,open,openat,"
        + "openat2,creat,send,sendto,sendmsg,sendmmsg,sendfile,copy_file_range,splice,mknod,mknodat,io_uring_enter,mmap"

    struct Witnessed {
        /// How often each kind of call changed something below a directory or was sent over TCP.
        var counts: [RecordedCall.What: Int] = [:]
        /// Names of the files that are written through memory.
        var mapped: Set<String> = []
    }

    /// Arguments that have strace write calls down, with what descriptors lead to.
    static func witness(_ output: String) -> [String] {
        ["-yy", "-s", "0", "-o", output, "-e", "trace=\(calls)", "-e", "signal=none"]
    }

    /// What strace wrote. Descriptors 0 to 2 and what the library itself writes are left out.
    static func witnessed(_ output: String, below root: String) throws -> Witnessed {
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: output)), as: UTF8.self)
        var witnessed = Witnessed()
        for line in text.split(separator: "\n") {
            // "1234  write(5</path>, ..." and, when another thread came between, "1234  <... write resumed>".
            let call = line.drop { $0 != " " }.drop { $0 == " " }
            guard let parenthesis = call.firstIndex(of: "("), !call.hasPrefix("<") else { continue }
            let name = String(call[..<parenthesis])
            let arguments = call[parenthesis...].dropFirst()
            let isOurs = arguments.contains("\(root)/") || arguments.contains("<\(root)>")
            if name == "mmap" {
                if isOurs, arguments.contains("PROT_WRITE"), arguments.contains("MAP_SHARED"),
                    let file = arguments.split(separator: ">")[0].split(separator: "/").last
                {
                    witnessed.mapped.insert(String(file))
                }
            } else if let what = what(name, arguments) {
                let isConnection = arguments.prefix(40).contains("<TCP")
                let isStandard = Int(arguments.prefix { $0.isNumber }).map { $0 <= 2 } ?? false
                guard what == .send ? isConnection : isOurs && !isStandard && !arguments.contains(".record") else {
                    continue
                }
                witnessed.counts[what, default: 0] += 1
            }
        }
        return witnessed
    }

    /// The calls of each name in the thread that made most of them.
    static func mostInOneThread(_ output: String) throws -> [String: Int] {
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: output)), as: UTF8.self)
        var counts: [String: [Substring: Int]] = [:]
        for line in text.split(separator: "\n") {
            let thread = line.prefix { $0 != " " }
            let call = line.drop { $0 != " " }.drop { $0 == " " }
            guard let parenthesis = call.firstIndex(of: "("), !call.hasPrefix("<") else { continue }
            counts[String(call[..<parenthesis]), default: [:]][thread, default: 0] += 1
        }
        return counts.mapValues { $0.values.max() ?? 0 }
    }

    private static func what(_ name: String, _ arguments: Substring) -> RecordedCall.What? {
        switch name {
        case "write", "pwrite64", "writev", "pwritev", "pwritev2":
            arguments.prefix(40).contains("<TCP") ? .send : .write
        case "send", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice": .send
        case "fsync": .fsync
        case "fdatasync", "sync_file_range": .fdatasync
        case "truncate", "ftruncate", "fallocate": .truncate
        case "open", "openat", "openat2", "creat":
            arguments.contains("O_CREAT") || arguments.contains("O_TRUNC") || name == "creat" ? .create : nil
        case "mkdir", "mkdirat": .makeDirectory
        case "unlink", "unlinkat", "rmdir": .unlink
        case "rename", "renameat", "renameat2": .rename
        default: .link
        }
    }
}
