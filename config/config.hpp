#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What an operator configures. A leaf: plain values, read once, compared by value.
namespace config {

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: the system chooses
  bool operator==(const Endpoint&) const = default;
};

enum class Backend : std::uint8_t { moray, postgres, embedded };
std::string_view to_string(Backend backend);

/// How a pnode's data is reached.
struct Shard {
  std::string pnode;
  Backend backend = Backend::moray;
  std::string address;  ///< moray: "host:port"; exclusive with `srv`
  std::string srv;      ///< moray: name whose _moray._tcp SRV, else A, records are followed
  std::uint16_t default_port = 2020;  ///< moray: for a name without SRV records
  int fast_version = 1;               ///< moray: 1 or 2; older morays die of 2
  std::string url;                    ///< postgres
  std::string path;                   ///< embedded: the directory
  bool sync = true;                   ///< embedded: an acknowledged write is on disk
  bool read_only = false;

  /// Whether both are the same shard for its connections (read_only aside).
  [[nodiscard]] bool same_shard(const Shard& other) const;
  bool operator==(const Shard&) const = default;
};

/// Bounds of a process, but where it says otherwise.
struct Limits {
  std::uint64_t memory_bytes = 0;  ///< held for clients; 0: a quarter of the machine's memory
  std::uint64_t frame_bytes_max = 64u << 20;         ///< a frame that a client sends
  std::uint64_t shard_frame_bytes_max = 256u << 20;  ///< a frame that a shard sends
  std::uint64_t large_frames_bytes_max =
      512u << 20;  ///< clients' frames over 16 KiB that are still arriving, all together
  std::uint64_t sessions_max = 20'000;          ///< clients connected at once
  std::uint64_t session_in_flight_max = 1'000;  ///< requests of one client; then reading stops
  std::uint64_t session_output_bytes_max = 1u
                                           << 20;  ///< unread answers of one client; then it waits
  std::uint64_t shard_in_flight_max = 10'000;      ///< requests of one worker to one shard
  std::uint64_t held_writes_max = 10'000;          ///< writes that wait for blocked vnodes
  std::uint64_t held_bytes_max = 64u << 20;        ///< their payloads
  bool operator==(const Limits&) const = default;
};

struct Timeouts {
  std::uint64_t object_ms = 30'000;           ///< object and bucket RPCs, to the first answer
  std::uint64_t find_ms = 60'000;             ///< findObjects, updateObjects, deleteMany
  std::uint64_t long_running_ms = 3'600'000;  ///< sql, reindexObjects
  std::uint64_t stream_idle_ms = 60'000;      ///< between rows, and for a client that takes none
  std::uint64_t connect_ms = 3'000;           ///< one attempt to reach a shard
  std::uint64_t drain_ms = 30'000;            ///< for requests in flight when the router stops
  std::uint64_t hold_ms = 5'000;              ///< how long a write waits for a blocked vnode
  std::uint64_t turn_ms = 40;  ///< for a turn at a shard that has too much to do; 0: any time
  bool operator==(const Timeouts&) const = default;
};

/// Connections per worker and shard.
struct Pool {
  std::uint64_t point_connections =
      1;  ///< for requests that are no streams; one more for each further address
  std::uint64_t stream_connections_max = 4;
  std::uint64_t postgres_point_connections =
      4;  ///< to PostgreSQL, where one slow statement holds up its connection
  std::uint64_t idle_ms = 60'000;  ///< an unneeded connection closes after so long
  bool operator==(const Pool&) const = default;
};

/// What a bucket's rows belong to. All that are not named here are routed: to their keys' vnodes.
struct Buckets {
  std::vector<std::string> local{"manta_delete_log",
                                 "manta_fastdelete_queue"};  ///< to the shard that they are in
  std::vector<std::string> derived{
      "manta_directory_counts"};  ///< to other rows: the database makes them
  bool operator==(const Buckets&) const = default;
};

struct LogSettings {
  std::string level = "info";  ///< trace, debug, info, warn, error, fatal
  std::string name = "moray-router";
  bool operator==(const LogSettings&) const = default;
};

/// How a router is one of a fleet that changes its ring together (docs/fleet.md). No name: it is
/// none.
struct Fleet {
  std::string name;
  std::vector<std::string> zookeeper;  ///< host:port each
  std::string credentials_file;        ///< `user:password` in its first line; empty: no credentials
  std::string member;                  ///< this router's id; empty: its host's name and client port
  std::uint64_t session_ms = 10'000;   ///< without a word, after which ZooKeeper forgets it
  std::uint64_t start_wait_ms = 3'000;  ///< for ZooKeeper, before it serves by its own ring
  bool start_waits = false;             ///< for ever instead
  /// A ring whose image has more bytes does not go through ZooKeeper.
  std::uint64_t image_bytes_max = 1u << 20;
  std::string image_url;  ///< of images elsewhere (config/image_url.hpp); empty: there are none
  [[nodiscard]] bool enabled() const { return !name.empty(); }
  bool operator==(const Fleet&) const = default;
};

/// What a command line says instead of the file, each time that the file is read. Empty, 0:
/// nothing.
struct Overrides {
  std::string ring_location, admin_socket, log_level;
  std::uint16_t port = 0, monitor_port = 0, status_port = 0;
  bool operator==(const Overrides&) const = default;
};

struct Config {
  Endpoint listen{"127.0.0.1", 2020};
  Endpoint monitor{"127.0.0.1", 3020};
  Endpoint status{"127.0.0.1", 4020};
  std::string admin_socket = "/run/moray-router/admin.sock";  ///< empty: none
  std::string ring_location;
  std::uint64_t workers = 0;  ///< 0: one a core
  std::vector<Shard> shards;
  bool shards_from_url = false;  ///< a pnode without a shard is reached by its own URL
  /// electric-moray's form: pnodes named in `shards` (by their host) may be written to; each is
  /// reached by SRV of its own host name.
  bool electric_moray = false;
  std::vector<std::string> resolvers;  ///< "address" or "address:port"; empty: the system's
  Limits limits;
  Timeouts timeouts;
  Pool pool;
  Buckets buckets;
  bool sql = true;  ///< clients may send SQL of their own
  Fleet fleet;
  LogSettings log;
  std::string datacenter;
  std::string server_uuid;
  Overrides overrides;  ///< put into force by `apply_overrides`

  bool operator==(const Config&) const = default;
};

/// Something wrong in a configuration, and where: `shards[2].backend`.
struct Problem {
  std::string path;
  std::string message;
  bool operator==(const Problem&) const = default;
};

/// A configuration as far as it could be read, and everything that is wrong with it at once.
struct Parsed {
  Config config;
  std::vector<Problem> problems;  ///< not empty: the configuration must not be used
  std::vector<Problem> warnings;
};

/// Reads either form; electric-moray's is known by its member `ringCfg`. Never throws.
Parsed parse(const std::string& text);
/// The same for a file; one that can't be read is a problem.
Parsed load_file(const std::string& path);

/// Lets `overrides` take the place of the file's members.
void apply_overrides(Config& config);

/// limits.memoryBytes as it is in force: as configured, or a quarter of what the machine (or the
/// cgroup that we are in) has, at least 256 MiB.
std::uint64_t memory_bytes(const Config& config);

/// One problem a line, for people.
std::string to_text(const std::vector<Problem>& problems);

/// The shards of a ring's pnodes, in their order. A pnode without a shard is a problem, unless the
/// configuration derives shards from URLs; a shard without a pnode is a warning.
struct ResolvedShards {
  std::vector<Shard> shards;
  std::vector<Problem> problems;
  std::vector<Problem> warnings;
};
ResolvedShards resolve_shards(const Config& config, const std::vector<std::string>& pnodes);

/// "host:port", "[::1]:port"; a host alone takes `default_port`. nullopt: not an address.
std::optional<Endpoint> parse_address(const std::string& text, std::uint16_t default_port);
/// The host and port of a pnode's URL, `tcp://host:port`. nullopt: not of that form.
std::optional<Endpoint> parse_pnode_url(const std::string& pnode);

}  // namespace config
