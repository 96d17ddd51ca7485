#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "fleet/agent/coordinator_agent.hpp"
#include "fleet/agent/member_agent.hpp"
#include "fleet/images/image.hpp"
#include "router/control/plan_reader.hpp"
#include "router/control/ring_control.hpp"
#include "router/loop/loop_thread.hpp"
#include "router/member/fleet_status.hpp"
#include "router/member/image_fetch.hpp"
#include "router/member/member_file.hpp"
#include "router/member/ring_fetch.hpp"
#include "router/member/roster_keeper.hpp"
#include "router/member/settings.hpp"

namespace router {

/// So long after a write's shard was lost, or its process has died, nothing of it is done any more.
inline constexpr std::chrono::milliseconds kWriteGrace{30'000};

/// This router as a member of its fleet (docs/fleet.md): what the fleet agrees on, done to this
/// disk, this ring and these workers. A thread of its own, where the service's answers arrive;
/// rings are loaded and written on the control's files thread. Before an answer of the member's
/// leaves, every worker goes by what it promises: the gate, and the lease's end, are with them
/// first.
class FleetMember final : private fleet::MemberHost {
 public:
  /// On the fleet's thread.
  struct Told {
    std::function<void(bool serves)> serves;  ///< each time that it changes; false at first
    std::function<void()> left;  ///< the roster has this router no more, by its own wish; once
  };

  /// After `control` has loaded its ring. `address`: of the client port, as others see it. Throws
  /// as MemberFile does.
  FleetMember(const config::Config& config, RingControl& control, std::string address,
              std::uint16_t status_port, Told told, Log& log);
  /// Ends the thread: after the control's have ended.
  ~FleetMember() override;
  FleetMember(const FleetMember&) = delete;
  FleetMember& operator=(const FleetMember&) = delete;

  void start();
  /// Any thread: nothing is sent to shards any more. `done` is told on the fleet's thread, when
  /// every worker goes by that.
  void shut(std::function<void()> done);
  /// Any thread: after `shut`, and when nothing is under way that was sent before.
  void leave();
  void stop() { thread_.stop(); }
  /// After `stop`: the process ends, and nothing that it has sent to shards is under way.
  void ends_cleanly();
  [[nodiscard]] FleetStatus status() const;  ///< any thread

 private:
  /// The vnodes that a change is about, as long as it is staged here.
  struct Staged {
    std::string token;
    fleet::RingName ring;  // a publication's
    ring::VnodeSet vnodes;
  };

  void carry_out(const fleet::Work& work, Done done) override;
  void await_drain(std::function<void(std::uint64_t)> drained) override;
  void ask_row(const fleet::RowQuestion& question,
               std::function<void(fleet::RowSays)> said) override;
  void follow(fleet::Member& member) override;
  void session(coordination::Session* session) override {
    images_.session(session);
    rings_.session(session);
    roster_.session(session);
  }
  void tell(const std::string& problem) override;

  void drain(std::uint64_t number, const std::function<void(std::uint64_t)>& drained);

  // member_works.cpp
  void begin_work(const fleet::Work& work, const Done& done);
  void keep_record(const fleet::Record& record, const Done& done);
  void drop_record(const Done& done);
  void keep_blocks(fleet::Blocks blocks, const Done& done);
  void fetch_sets(std::shared_ptr<std::map<std::string, ring::VnodeSet>> sets,
                  const fleet::Blocks& blocks, const Done& done);
  void stage(const fleet::Change& change, const Done& done);
  void stage_ring(const fleet::Change& change, FleetRing ring, const Done& done);
  void stage_set(const fleet::Change& change, const Done& done);
  void put_in_force(const fleet::RingName& name, FleetRing ring, const Done& done);
  void make_from_image(const fleet::RingName& name, const Done& done,
                       std::function<void(FleetRing)> use);
  void kept(const Done& done, const std::function<void()>& keep);
  void end_work(const Done& done, const std::string& failure, bool for_good);
  [[nodiscard]] fleet::MakeRing make_aside();
  [[nodiscard]] OwnRing own_rings();
  template <typename Result>
  router::Done<Result> on_thread(std::function<void(router::Outcome<Result>)> then);

  [[nodiscard]] FleetGate gate_of(const fleet::Member& member, std::chrono::nanoseconds now) const;
  [[nodiscard]] FleetGate shut_gate() const;
  [[nodiscard]] ring::VnodeSet all_vnodes() const;
  [[nodiscard]] ring::VnodeSet vnodes_of(const fleet::Member& member) const;
  void serve(fleet::Member& member, std::chrono::nanoseconds now);
  void serve_again();
  void told_gate(const router::Outcome<Published>& outcome, std::uint64_t opening);
  void close_if_due(const fleet::Member& member, std::chrono::nanoseconds now);
  void close();
  void note(const fleet::Member& member, std::chrono::nanoseconds now);

  const FleetSettings settings_;
  RingControl& control_;
  Told told_;
  Log& log_;
  LoopThread thread_;
  MemberFile file_;
  const fleet::Geometry geometry_;
  const std::chrono::nanoseconds started_;

  // The fleet's thread alone:
  ImageFetch images_;
  RingFetch rings_;
  RosterKeeper roster_;
  std::optional<Staged> staged_;
  /// A lease that workers know of, and the record not yet.
  std::optional<FleetGate> leasing_;
  std::optional<FleetGate> gate_;  // as the control was told last
  bool shut_ = false;              // the process ends
  bool serves_ = false, left_told_ = false;
  std::uint64_t openings_ = 0;  // counts the times that it began or ceased to serve
  std::uint64_t asked_ = 0;     // the one at which the control was told a gate last
  std::uint64_t opened_ = 0;    // the one at which clients were let in last
  std::uint64_t drains_ = 0;    // that have begun
  std::optional<std::chrono::nanoseconds> other_ring_since_;
  std::string service_problem_, work_problem_;
  std::chrono::nanoseconds problem_seen_at_{};  // the last read before it was told
  std::unique_ptr<fleet::MemberAgent> agent_;
  std::unique_ptr<fleet::CoordinatorAgent> closer_;
  std::unique_ptr<PlanReader> reader_;  // once a row was asked
  bool close_waits_ = false;
  boost::asio::steady_timer drain_timer_, close_timer_, serve_timer_;
  std::minstd_rand random_{std::random_device{}()};

  mutable std::mutex mutex_;
  FleetStatus status_;  // guarded by mutex_
};

}  // namespace router
