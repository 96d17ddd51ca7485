#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backends/rpc.hpp"
#include "backends/serving_lease.hpp"
#include "fast/frame.hpp"

/// Shards as the router sees them: one small interface, an implementation for each kind.
namespace backends {

/// One RPC on its way to a shard. Everything it points to is valid only during `submit`.
struct Request {
  Rpc rpc = Rpc::ping;
  /// The payload `{"m":…,"d":[…]}`, in pieces that follow each other. Grammar already checked.
  std::span<const std::string_view> pieces;
  /// Where the pieces' checksum is known: it, and the version it is of.
  std::optional<std::uint16_t> checksum;
  fast::Version checksum_version = fast::Version::v2;
  /// Requests of equal affinity (a vnode) go over one connection, in the order of submission.
  std::uint32_t affinity = 0;
  /// The digest of the ring by which it was routed; empty: none. Where vnodes move, finds and
  /// writes by filter have to do with the rows that are this shard's by that ring.
  std::string_view ring;
  /// A read of vnodes that are served under a lease: a shard that queues it asks again before it
  /// sends it, and fails it where the lease is over (FailureKind::not_served). null: sent whenever
  /// it can be. Writes need none: where vnodes move, their database refuses those of an older ring.
  std::shared_ptr<const ServingLease> lease;
  /// A change of buckets that goes to several shards, to one that takes two steps: nothing is
  /// changed before `proceed`.
  bool two_steps = false;
  /// findObjects, sql, listen: asks for a connection of its own, which `pause` can hold up.
  bool stream = false;
};

/// A frame of a shard's answer. Valid only during the call.
struct Reply {
  /// `{"m":…,"d":[…]}`, for errors `{"m":…,"d":{…}}`; grammar and shape not yet checked where it
  /// came over a wire, so a receiver must check before it forwards.
  std::string_view payload;
  /// The payload's checksum and the version it is of; nullopt: not known.
  std::optional<std::uint16_t> checksum;
  fast::Version version = fast::Version::v2;
};

/// Why a shard could not answer.
enum class FailureKind : std::uint8_t {
  no_connections,   ///< nothing was sent: no connection is up
  overloaded,       ///< nothing was sent: a bound of this shard is reached
  not_served,       ///< nothing was sent: the lease that its vnodes are served under is over
  connection_lost,  ///< sent, and the connection ended before the answer: the outcome is unknown
  bad_reply,        ///< sent, and the shard broke the protocol: the outcome is unknown
};

struct Failure {
  FailureKind kind = FailureKind::no_connections;
  std::string message;      ///< for the client, e.g. "unexpected end of transport stream"
  std::string info = "{}";  ///< a JSON object for the error's `info`

  bool operator==(const Failure&) const = default;
};

/// Receives one request's answer: any number of `on_data`, then exactly one of the others, after
/// which the shard has forgotten the sink. Of a request in two steps `on_ready` comes before all of
/// them, unless the first step fails. Called on the shard's worker, never from inside
/// `submit`, and never again once `cancel` has returned true.
class ReplySink {
 public:
  virtual void on_data(const Reply& reply) = 0;
  virtual void on_end(const Reply& reply) = 0;    ///< elements in it count as data
  virtual void on_error(const Reply& reply) = 0;  ///< the shard's own verdict
  virtual void on_failure(const Failure& failure) = 0;
  /// The first of two steps is done: nothing stands in the way here, until `Shard::proceed`, or
  /// `Shard::cancel`, which takes it back.
  virtual void on_ready() {}

 protected:
  ~ReplySink() = default;
};

/// Names a submitted request to its shard until its sink has had its last call.
struct Ticket {
  std::uint64_t number = 0;
  bool operator==(const Ticket&) const = default;
};

/// What `submit` made of a request: accepted under a ticket, or failed at once (the sink is then
/// not called).
struct Submitted {
  std::optional<Ticket> ticket;
  Failure failure;  ///< meaningful where there is no ticket
};

/// A shard's state for metrics and status pages. A copy, made on the shard's worker.
struct ShardStatus {
  bool healthy = false;         ///< would take a request now
  std::size_t connections = 0;  ///< up
  std::size_t in_flight = 0;    ///< requests whose answer is outstanding
  std::string address;          ///< for people
  std::string last_problem;     ///< empty: none since the last success
  std::uint64_t out_of_step =
      0;  ///< connections that ended since answers on them were not those due

  bool operator==(const ShardStatus&) const = default;
};

/// How many requests that may take any time a shard serves at once for a worker. The router keeps
/// the others: a shard would serve them in the order in which they came, and so one client's
/// hundreds before another's one.
struct Places {
  std::size_t streams = 4;  ///< finds; at least 1
  std::size_t changes = 4;  ///< updateObjects, deleteMany; at least 1; not used where `shared`
  bool shared = false;      ///< they are the same ones, as many as `streams`
  /// A find that its client holds up leaves its place to others: they can be served all the same,
  /// or the shard gives up the ones that are held up when others wait in it.
  bool paused_leave = true;
  /// A change that has taken so long leaves its place, since the shard does others beside it;
  /// nullopt: it does not.
  std::optional<std::chrono::milliseconds> changes_leave = std::nullopt;
};

/// One shard, as one worker holds it. Lives on: one worker; every call is made there.
/// Implementations: moray/ (a moray server), embedded/ (LevelDB), fake/ (scripted faults).
/// The contract test (tests/contract) runs on each.
class Shard {
 public:
  virtual ~Shard() = default;

  /// Starts a request. The bytes are copied or written before it returns. O(bytes).
  virtual Submitted submit(const Request& request, ReplySink& sink) = 0;

  /// The caller has lost interest. True: the sink will not be called again. A write was not sent,
  /// and is never done, or is one in two steps before the second, which changes nothing; a read was
  /// not sent, or its answer is swallowed, or its connection, a stream's, is closed now. False: the
  /// answer must still come (its slot stays reserved until then), and the sink will be called.
  virtual bool cancel(Ticket ticket) = 0;

  /// Holds up a stream's answer and lets it go on; by TCP back-pressure where there is a socket.
  /// Some frames already read may still be delivered after `pause`.
  virtual void pause(Ticket ticket) = 0;
  virtual void resume(Ticket ticket) = 0;

  /// Whether a change of buckets is made in two steps here where it goes to several shards: only a
  /// database in which plans of resharding may be under way has a reason to refuse it alone.
  [[nodiscard]] virtual bool takes_two_steps() const { return false; }
  /// The second step, after the sink's `on_ready`. It may fail as any request may.
  virtual void proceed(Ticket) {}

  /// The shard left the ring: no new work comes; close at the last answer.
  virtual void retire() = 0;
  /// Retired, and the last answer is out: the object may be destroyed.
  [[nodiscard]] virtual bool idle() const = 0;

  /// The same for as long as it lives.
  [[nodiscard]] virtual Places places() const { return {}; }

  /// Would take a request now. O(1), for choosing among shards.
  [[nodiscard]] virtual bool healthy() const = 0;
  [[nodiscard]] virtual ShardStatus status() const = 0;
};

}  // namespace backends
