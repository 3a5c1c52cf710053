// swift-tools-version:6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

func module(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: strict)
}

let package = Package(
    name: "campaignd",
    products: [
        .executable(name: "campaignd", targets: ["campaignd"]),
        .executable(name: "campaignctl", targets: ["campaignctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
    ],
    targets: [
        // The heart: pure, imports nothing.
        module("Mailing"),

        // One thing outside of the mailing each; none imports another.
        module("RecipientLists"),
        module("Spool", ["Mailing", crypto]),
        module("Ledger", ["Mailing", "CSQLite", crypto, .product(name: "GRDB", package: "GRDB.swift")]),
        module("MIME", ["CGMime", .product(name: "Mustache", package: "swift-mustache")]),
        module("Relay", ["Mailing", "CCurl"], exclude: ["FAULTS.md"]),
        module("Systemd", ["CSystemd", .product(name: "Logging", package: "swift-log")]),

        // Where they meet.
        module(
            "Daemon",
            [
                "Mailing", "RecipientLists", "Spool", "Ledger", "MIME", "Relay", "Systemd", crypto,
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "TOMLKit", package: "TOMLKit"),
            ]),
        .executableTarget(
            name: "campaignd",
            dependencies: ["Daemon", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),

        // What people type. Reads what the daemon wrote, and changes nothing but by dropping jobs.
        module(
            "Commands",
            [
                "Daemon", "Mailing", "RecipientLists", "Spool", "Ledger", "MIME", "Relay", "Systemd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(name: "campaignctl", dependencies: ["Commands"], swiftSettings: strict),

        // C doors: variadics and macros only.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CGMime", pkgConfig: "gmime-3.0", providers: [.apt(["libgmime-3.0-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

        .systemLibrary(
            name: "COpenSSL", path: "Tests/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "TestSupport", dependencies: ["COpenSSL"], path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "CFaultyDisk", path: "Tests/CFaultyDisk", swiftSettings: strict),
        tests("MailingTests", ["Mailing"]),
        tests("RecipientListsTests", ["RecipientLists"]),
        tests("SpoolTests", ["Spool", "Mailing"]),
        tests("LedgerTests", ["Ledger", "Mailing", .product(name: "GRDB", package: "GRDB.swift")]),
        tests("MIMETests", ["MIME"]),
        tests("RelayTests", ["Relay", "Mailing"]),
        tests("SystemdTests", ["Systemd"]),
        tests(
            "DaemonTests",
            ["Daemon", "Ledger", "Mailing", "Spool", "Relay", .product(name: "Logging", package: "swift-log")]),
        tests(
            "SimulationTests",
            [
                "Daemon", "Ledger", "Mailing", "Spool", "CFaultyDisk",
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "Logging", package: "swift-log"),
            ]),
        tests(
            "CommandsTests",
            [
                "Commands", "Daemon", "Ledger", "Mailing", "Spool", "Systemd",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        tests(
            "SystemTests",
            exclude: [
                "with-systemd", "under-systemd.sh", "checks.sh", "package", "systemd", "soak", "idle", "interpose",
                "doubts",
            ]),
        tests("TidyTests"),
    ]
)
