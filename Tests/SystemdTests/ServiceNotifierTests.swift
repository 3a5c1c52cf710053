import Foundation
import Glibc
import TestSupport
import Testing

@testable import Systemd

/// sd_notify(3) reads the environment of the process; so each of these tests has a process of its own.
@Suite struct ServiceNotifierTests {
    @Test func `each call is one notification in the words of sd_notify`() async {
        await #expect(processExitsWith: .success) {
            let socket = try NotificationReceiver()
            setenv("NOTIFY_SOCKET", socket.path, 1)
            let notifier = ServiceNotifier()

            try notifier.ready()
            #expect(try socket.receive() == "READY=1")
            try notifier.status("3 queued, default at 3000 an hour")
            #expect(try socket.receive() == "STATUS=3 queued, default at 3000 an hour")
            try notifier.stopping()
            #expect(try socket.receive() == "STOPPING=1")
            try notifier.watchdog()
            #expect(try socket.receive() == "WATCHDOG=1")
            try notifier.extendTimeout(microseconds: 600_000_000)
            #expect(try socket.receive() == "EXTEND_TIMEOUT_USEC=600000000")
        }
    }

    @Test func `a reload is announced with the monotonic time of its begin`() async {
        await #expect(processExitsWith: .success) {
            let socket = try NotificationReceiver()
            setenv("NOTIFY_SOCKET", socket.path, 1)
            let before = DispatchTime.now().uptimeNanoseconds / 1000
            try ServiceNotifier().reloading()
            let after = DispatchTime.now().uptimeNanoseconds / 1000

            let lines = try socket.receive().split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first == "RELOADING=1")
            let time = try #require(lines.last?.split(separator: "=").last.flatMap { UInt64($0) })
            #expect(lines.last == "MONOTONIC_USEC=\(time)")
            #expect((before...after).contains(time))
        }
    }

    @Test func `a status cannot set anything else and is bounded`() async {
        await #expect(processExitsWith: .success) {
            let socket = try NotificationReceiver()
            setenv("NOTIFY_SOCKET", socket.path, 1)
            let notifier = ServiceNotifier()

            try notifier.status("550 no\nMAINPID=1\r\nSTOPPING=1")
            #expect(try socket.receive() == "STATUS=550 no\\\\nMAINPID=1\\\\r\\\\nSTOPPING=1")
            try notifier.status("ends with a backslash \\")
            #expect(try socket.receive() == "STATUS=ends with a backslash \\\\")
            try notifier.status(String(repeating: "x", count: 100_000))
            #expect(try socket.receive() == "STATUS=" + String(repeating: "x", count: 1024) + "…")
        }
    }

    @Test func `without NOTIFY_SOCKET every call does nothing and succeeds`() async {
        await #expect(processExitsWith: .success) {
            unsetenv("NOTIFY_SOCKET")
            let notifier = ServiceNotifier()
            try notifier.ready()
            try notifier.status("idle")
            try notifier.reloading()
            try notifier.stopping()
            try notifier.watchdog()
            try notifier.extendTimeout(microseconds: 1)
        }
    }

    @Test func `a notification that nobody receives is an error that names it and its cause`() async {
        await #expect(processExitsWith: .success) {
            setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1)
            let error = #expect(throws: NotificationError.self) { try ServiceNotifier().ready() }
            #expect(error == NotificationError(state: "READY=1", errorNumber: ENOENT))
            #expect(error?.description.hasPrefix("systemd could not be told READY=1: No such file") == true)
        }
    }

    @Test func `the watchdog's interval is the one that systemd set for this process`() async {
        await #expect(processExitsWith: .success) {
            setenv("WATCHDOG_USEC", "60000000", 1)
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            let interval = try ServiceNotifier().watchdogInterval
            #expect(interval == .seconds(60))
        }
    }

    @Test func `there is no watchdog interval outside systemd, nor when it was set for another process`() async {
        await #expect(processExitsWith: .success) {
            unsetenv("WATCHDOG_USEC")
            unsetenv("WATCHDOG_PID")
            let outside = try ServiceNotifier().watchdogInterval
            #expect(outside == nil)
            setenv("WATCHDOG_USEC", "60000000", 1)
            setenv("WATCHDOG_PID", "1", 1)
            let other = try ServiceNotifier().watchdogInterval
            #expect(other == nil)
        }
    }

    @Test func `a watchdog interval that is no number is an error`() async {
        await #expect(processExitsWith: .success) {
            setenv("WATCHDOG_USEC", "soon", 1)
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            #expect(throws: NotificationError.self) { try ServiceNotifier().watchdogInterval }
        }
    }
}

/// What systemd has at the other end: a datagram socket in a directory of its own.
private final class NotificationReceiver {
    let path: String
    private let directory: TemporaryDirectory
    private let descriptor: Int32

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("notify")
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        try #require(descriptor >= 0 && bytes.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
    }

    deinit { close(descriptor) }

    /// What was sent already; the sender's call has returned, so there is nothing to wait for.
    func receive() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        try #require(count > 0)
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
