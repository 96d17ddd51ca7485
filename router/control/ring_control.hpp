#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "config/config.hpp"
#include "router/control/answers.hpp"
#include "router/control/machine.hpp"
#include "router/control/plan_reader.hpp"
#include "router/control/prepare.hpp"
#include "router/control/publisher.hpp"
#include "router/control/ring_files.hpp"
#include "router/loop/loop_thread.hpp"

namespace router {

/// Everything that changes ring, gate or configuration while the router serves, all or nothing.
/// Decisions are `Machine`'s; this carries them out. Three threads: the control's, which takes
/// milliseconds for anything; the files', for what loads and writes rings, a change at a time; and
/// one for looks at rings (`diff`, `rings`), which no change waits for. Calls return at once, from
/// any thread; `done` is told on the control's thread, when every worker has acknowledged: else it
/// is a refusal, `not_acknowledged`, that names the workers which go by the older state still.
class RingControl {
 public:
  /// `config_file`: read again on reload; empty: the configuration stays. All else outlives it.
  /// `elsewhere`: reads and edits rings in a process of its own, which LevelDB may end; empty: in
  /// this.
  RingControl(config::Config config, std::string config_file, ring::Loader elsewhere,
              std::shared_ptr<ShardSources> sources, std::vector<std::unique_ptr<Worker>>& workers,
              Log& log);
  ~RingControl();
  RingControl(const RingControl&) = delete;
  RingControl& operator=(const RingControl&) = delete;

  /// Loads the ring that the configuration names: what the workers begin with. Throws as `prepare`
  /// does.
  void load();
  void start();
  /// Ends the threads; what was still waiting is never told.
  void stop();

  [[nodiscard]] Publisher& publisher() { return publisher_; }
  [[nodiscard]] std::shared_ptr<const config::Config> config()
      const;                                   ///< any thread; as last reloaded
  [[nodiscard]] ControlStatus status() const;  ///< any thread

  /// `ring`: another place than the configuration's; `digest`: what the ring must be. Both may be
  /// empty.
  void reload(std::string ring, std::string digest, Done<RingChange> done);

  void block(BlockRequest request, Done<BlockReport> done);
  /// nullopt: all that are blocked.
  void unblock(std::optional<ring::VnodeSet> vnodes, Done<UnblockReport> done);

  void remap(ring::VnodeSet vnodes, std::string pnode, Done<RingChange> done);
  void set_data(ring::VnodeSet vnodes, std::string data_json, Done<RingChange> done);

  void rings(Done<std::vector<ring::Generation>> done);
  /// nullopt: the one that was in force before the current one came into force first.
  void rollback(std::optional<std::uint64_t> generation, Done<RingChange> done);
  /// Each a generation's number or a directory; empty: the ring in force.
  void diff(std::string from, std::string to, Done<ring::Difference> done);

  /// Two-phase change, for a coordinator of several routers: the ring is staged on disk, loaded,
  /// checked and its shards connected; nothing changes until `activate`.
  void prepare_ring(PrepareRequest request, Done<PreparedRing> done);
  void renew(std::string token, std::chrono::milliseconds lease, Done<PreparedRing> done);
  /// One rename on disk and one publication. Blocked vnodes stay blocked.
  void activate(std::string token, std::string expect_digest, Done<RingChange> done);
  /// Drops what was prepared.
  void abandon(std::string token, Done<PreparedRing> done);

  /// The ring of that digest: in force, or in the store; a refusal, `not_here`, where there is
  /// none. Told on the thread for looks.
  void ring_of(std::string digest, Done<std::shared_ptr<const ring::Ring>> done);
  /// Work about rings that changes nothing, on the thread for looks, in the background. It does not
  /// throw; who asks for it bounds how much of it waits.
  void aside(std::function<void()> work);

  // What a fleet has its member do (router/member/). Before `start`, for `in_fleet`; each of the
  // others takes its turn among changes.

  void in_fleet(std::string fleet) { machine_.in_fleet(std::move(fleet)); }
  /// The ring is in the store, loaded and checked, its shards connected.
  void fleet_stage(FleetRing ring, Done<FleetStaged> done);
  /// Puts it in force; stages it first where it is not. What `fleet_serve` has said holds on.
  void fleet_activate(FleetRing ring, Done<RingChange> done);
  /// A ring that was staged does not come into force.
  void fleet_withdraw(std::uint64_t number, std::string digest, Done<RingChange> done);
  /// Told when every worker goes by it.
  void fleet_serve(FleetGate gate, Done<Published> done);
  /// The same; then told when no write that was sent before to `vnodes`, which are blocked by it,
  /// is under way.
  void fleet_drain(FleetGate gate, ring::VnodeSet vnodes, Done<BlockReport> done);

 private:
  /// On the control's thread: what files' work leads to. May throw: refused.
  using Finish = std::function<void()>;
  /// On the files' thread. May throw: refused, and nothing is changed.
  using Work = std::function<Finish()>;
  /// A change, until it is told.
  struct Command {
    std::function<Work()> begin;  ///< on the control's thread, when its turn comes; may throw
    std::function<void(const Refusal&)> refuse;
    std::function<void()> unchanged;  ///< empty: can't be
  };
  /// A ring that is staged for activation.
  struct Staged {
    ring::Generation generation;
    Prepared prepared;
    std::uint64_t moved = 0;  // vnodes that change hands
  };
  /// The same, under a fleet's number.
  struct FleetStagedRing {
    ring::Generation generation;
    Prepared prepared;
    FleetStaged what;
  };
  struct Waiting;  // a block that waits for writes

  // ring_control.cpp
  template <typename Result>
  void perform(Done<Result> done, std::function<Result()> work);
  /// `event` answers by itself, unless it throws.
  template <typename Result>
  void attempt(Done<Result> done, std::function<void()> event);
  template <typename Result>
  void look(Done<Result> done, std::function<Result()> work);
  void submit(Change change, Command command);
  void settle();
  void handle(const Ask& asked);
  void begin(const Change& change);
  void run(Work work);
  void finish(const Finish& finish);
  void failed(const Refusal& refusal);
  bool follow_serving();
  void publish(Publisher::Told told);
  void wake_later();
  template <typename Result>
  static Publisher::Told telling(Done<Result> done, Result result,
                                 void (*note)(Result&, const Published&));
  [[nodiscard]] const ring::Ring& ring() const { return *base_.ring.ring; }
  template <typename Update>
  void update_status(Update update) {
    const std::scoped_lock lock(mutex_);
    update(status_);
  }

  // ring_changes.cpp, ring_looks.cpp
  config::Config read_config(const config::Config& now) const;
  Work reload_work(const std::string& ring, const std::string& digest, Done<RingChange> done);
  void edit(const char* what, std::function<RingEdit(const ring::Ring&)> wanted,
            Done<RingChange> done);
  void put_in_force(Prepared prepared, std::uint64_t changed, Done<RingChange> done);
  void tell_unchanged(const Done<RingChange>& done);
  [[nodiscard]] static RingFacts facts_of(const RingInForce& ring);
  [[nodiscard]] static std::shared_ptr<const ring::Ring> ring_named(
      const std::string& name, const config::Config& config,
      std::shared_ptr<const ring::Ring> in_force, const ring::Load& elsewhere);

  // prepare_control.cpp
  void require_prepare(const PrepareRequest& request) const;
  Work rehearse_work(const PrepareRequest& request, Done<PreparedRing> done);
  Work prepare_work(const PrepareRequest& request, Done<PreparedRing> done);
  void ring_staged(Staged staged, const PendingRing& record, const Done<PreparedRing>& done);
  void activated(const Done<RingChange>& done);
  Work withdraw_work(std::function<void()> told);
  void tidy_store(const std::string& in_force);
  [[nodiscard]] PreparedRing prepared_ring() const;

  // plan_watch.cpp: what becomes of a plan whose coordinator is silent
  void read_left_pending(const std::string& record);
  Work decided_work(const PendingRing& ring);
  [[nodiscard]] PlanQuestion question(const PendingRing& ring, const std::string& pnode) const;
  void ask_row(const PendingRing& ring);
  void ask_target(const PendingRing& ring);

  // fleet_control.cpp
  FleetStagedRing staged_for_fleet(const FleetRing& wanted, const config::Config& config,
                                   const std::shared_ptr<const ring::Ring>& now);
  Work fleet_work(std::shared_ptr<FleetStagedRing> staged, Done<RingChange> done);
  void follow_fleet(FleetGate gate, Publisher::Told told);
  [[nodiscard]] std::shared_ptr<const Gate> gate_with_fleets() const;

  // block_control.cpp
  void block_published(const std::shared_ptr<Waiting>& waiting, const Published& published);
  void await_writes(const std::shared_ptr<Waiting>& waiting);
  void writes_ended(const std::shared_ptr<Waiting>& waiting);

  const std::string config_file_;
  const std::function<void()> stop_loading_;
  const ring::Load elsewhere_;
  std::shared_ptr<ShardSources> sources_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  Log& log_;
  LoopThread thread_, files_, looks_;
  Publisher publisher_;
  bool started_ = false;  // workers serve
  std::atomic<std::size_t> looking_{0};

  // The control thread's alone:
  Machine machine_;
  Prepared base_;                               // in force
  std::optional<Staged> staged_;                // exactly while machine_.pending().staged()
  std::shared_ptr<const LeasedVnodes> leased_;  // of the newest snapshot
  FleetGate fleet_gate_;
  std::shared_ptr<const LeasedVnodes> fleet_leased_;  // of the newest snapshot
  std::optional<FleetStagedRing> fleet_staged_;
  std::shared_ptr<const Gate> gate_published_;
  std::uint64_t sequence_ = 0;                 // of the newest snapshot
  bool unpublished_ = false;                   // leased_ has changed since
  std::map<std::uint64_t, Command> commands_;  // that wait, by their changes' ids
  std::optional<Command> under_way_;
  std::uint64_t next_command_ = 1;
  boost::asio::steady_timer wake_timer_;

  std::unique_ptr<PlanReader> reader_;  // its answers are posted to the control's thread

  mutable std::mutex mutex_;
  std::shared_ptr<const config::Config> config_;  // guarded by mutex_; set by the control thread
  ControlStatus status_;                          // guarded by mutex_
};

/// Where it throws, and for `outcome`: the same words for every command.
template <typename Result>
void RingControl::attempt(Done<Result> done, std::function<void()> event) {
  thread_.post([this, done = std::move(done), event = std::move(event)] {
    try {
      event();
    } catch (const Refusal& refusal) {
      done(refusal);
    } catch (const std::exception& error) {
      done(Refusal("refused", error.what()));
    }
    settle();
  });
}

template <typename Result>
void RingControl::perform(Done<Result> done, std::function<Result()> work) {
  attempt<Result>(done, [this, done, work = std::move(work)] {
    Result result = work();
    settle();  // first, so that it holds when it is told
    done(std::move(result));
  });
}

template <typename Result>
Publisher::Told RingControl::telling(Done<Result> done, Result result,
                                     void (*note)(Result&, const Published&)) {
  return [done = std::move(done), result = std::move(result), note](const Published& published) {
    if (!published.missing.empty())
      return done(Refusal("not_acknowledged",
                          "it is done, but " + missing_workers(published) +
                              " had not taken it over after a second, and will when it can"));
    Result told = result;
    if (note != nullptr) note(told, published);
    done(std::move(told));
  };
}

}  // namespace router
