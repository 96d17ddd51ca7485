#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "config/config.hpp"
#include "router/control/answers.hpp"
#include "router/control/background.hpp"
#include "router/control/pending.hpp"
#include "router/control/plan_reader.hpp"
#include "router/control/prepare.hpp"
#include "router/control/publisher.hpp"
#include "router/control/ring_files.hpp"
#include "router/plan/refusal.hpp"

namespace router {

/// Everything that changes ring, gate or configuration while the router serves: one change at a
/// time, all or nothing, on a thread of its own, since loading a large ring takes seconds. Calls
/// return at once, from any thread; `done` is told on the control's thread.
class RingControl {
 public:
  /// `config_file`: read again on reload; empty: the configuration stays. All else outlives it.
  RingControl(config::Config config, std::string config_file, std::shared_ptr<ShardSources> sources,
              std::vector<std::unique_ptr<Worker>>& workers, Log& log);
  ~RingControl();
  RingControl(const RingControl&) = delete;
  RingControl& operator=(const RingControl&) = delete;

  /// Loads the ring that the configuration names: what the workers begin with. Throws as `prepare`
  /// does.
  void load();
  void start();
  /// Ends the thread; what was still waiting is never told.
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
  /// nullopt: the one before the current one.
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

 private:
  /// A ring that is staged for activation.
  struct Staged {
    ring::LoadedGeneration loaded;
    Prepared prepared;
    std::uint64_t moved = 0;  // vnodes that change hands
  };
  /// What a prepare asks for, checked.
  struct WantedRing {
    RingEdit edit;
    std::shared_ptr<const ring::Ring> ring;
  };
  struct Waiting;  // a block that waits for writes

  template <typename Result>
  void perform(Done<Result> done, std::function<Result()> work);
  /// The same for work that takes seconds of a core, on a thread that every other goes before.
  template <typename Result>
  void perform_in_background(Done<Result> done, std::function<Result()> work);
  [[nodiscard]] const Snapshot& snapshot() const { return *publisher_.current()->snapshot; }
  [[nodiscard]] Prepared prepare_for(const config::Config& config, RingInForce ring);
  RingChange put_in_force(Prepared prepared, std::uint64_t changed);
  RingChange unchanged() const;
  RingChange reload_now(const std::string& ring, const std::string& digest);
  config::Config read_config() const;
  void require_free(const char* what) const;
  void require_pnode(const std::string& pnode) const;
  void require_database(const std::string& pnode) const;
  void require_holder(const std::string& token) const;
  ring::GenerationStore store(const char* what) const;
  std::shared_ptr<const ring::Ring> ring_named(const std::string& name) const;
  Published set_gate(Gate gate);
  Published set_snapshot(std::shared_ptr<const Gate> gate,
                         std::shared_ptr<const LeasedVnodes> leased);
  void await_writes(const std::shared_ptr<Waiting>& waiting);
  void writes_ended(const std::shared_ptr<Waiting>& waiting);
  [[nodiscard]] WantedRing check_prepare(const PrepareRequest& request) const;
  PreparedRing rehearse(const PrepareRequest& request, const WantedRing& wanted);
  PreparedRing stage(const PrepareRequest& request, WantedRing wanted);
  std::size_t serve_under_lease(const PendingRing& ring, std::chrono::nanoseconds until);
  void end_serving_lease();
  void withdraw();
  void drop_generation(ring::GenerationStore& rings, std::uint64_t number);
  void tidy_store();
  void watch_lease();
  void lease_expired();

  // plan_watch.cpp: what becomes of a plan whose coordinator is silent
  void read_left_pending(const std::string& record);
  void follow_plan();
  void plan_answered(PlanStanding standing, std::chrono::nanoseconds asked);
  void plan_stands(PlanStanding standing);
  void plan_ended();
  void plan_decided();
  void follow_again(std::chrono::milliseconds pause);
  void await_target();
  void await_later();
  [[nodiscard]] bool awaits_target() const;
  [[nodiscard]] std::optional<Refusal> against_awaited(const std::string& what) const;
  void open_vnodes(const ring::VnodeSet& vnodes, const char* why);
  [[nodiscard]] PlanQuestion question(const PendingRing& ring, const std::string& pnode) const;
  PreparedRing prepared_ring() const;
  template <typename Change>
  void update_status(Change change) {
    const std::scoped_lock lock(mutex_);
    change(status_);
  }

  const std::string config_file_;
  std::shared_ptr<ShardSources> sources_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  Log& log_;
  Publisher publisher_;
  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  boost::asio::steady_timer lease_timer_;
  std::thread thread_;

  // The control thread's alone:
  Pending pending_;
  std::optional<Staged> staged_;          // exactly while pending_.staged()
  ring::VnodeSet blocked_under_lease_;    // by `block` with the lease's token
  std::optional<PendingRing> awaited_;    // in force, and blocked until its target takes writes
  std::optional<PlanStanding> standing_;  // of the pending ring's plan, as read last
  bool asked_early_ = false;              // the row, before this lease's end
  bool started_ = false;                  // workers serve
  bool following_ = false;                // a question about the pending ring's plan is out
  bool asking_target_ = false;            // one about the awaited plan's target is
  boost::asio::steady_timer follow_timer_, await_timer_;

  std::unique_ptr<PlanReader> reader_;  // its answers are posted to loop_

  mutable std::mutex mutex_;
  std::shared_ptr<const config::Config> config_;  // guarded by mutex_; set by the control thread
  ControlStatus status_;                          // guarded by mutex_
};

template <typename Result>
void RingControl::perform(Done<Result> done, std::function<Result()> work) {
  boost::asio::post(loop_, [done = std::move(done), work = std::move(work)] {
    std::optional<Outcome<Result>> outcome;
    try {
      outcome.emplace(work());
    } catch (const Refusal& refusal) {
      outcome.emplace(refusal);
    } catch (const std::exception& error) {
      outcome.emplace(Refusal("refused", error.what()));
    }
    done(*std::move(outcome));
  });
}

template <typename Result>
void RingControl::perform_in_background(Done<Result> done, std::function<Result()> work) {
  perform<Result>(std::move(done), [work = std::move(work)] {
    std::optional<Result> result;
    in_background([&] { result.emplace(work()); });
    return *std::move(result);
  });
}

}  // namespace router
