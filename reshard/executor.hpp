#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reshard/bucket_configs.hpp"
#include "reshard/compare.hpp"
#include "reshard/copy.hpp"
#include "reshard/database.hpp"
#include "reshard/definition/definitions.hpp"
#include "reshard/definition/likeness.hpp"
#include "reshard/dump_lock_node.hpp"
#include "reshard/journal.hpp"
#include "reshard/plan_metrics.hpp"
#include "reshard/pump.hpp"
#include "reshard/routers.hpp"
#include "reshard/step.hpp"
#include "reshard/verify.hpp"
#include "ring/ring.hpp"

namespace reshard {

/// What a coordinator tells whoever watches it. Called on its thread.
struct Watcher {
  std::function<void(const std::string& text)> event;  ///< something happened
  std::function<void(const std::string& text)> alarm;  ///< a person should see this
  std::function<void(const std::string& name, const std::string& what, std::uint64_t total)>
      begin;  ///< work that can be measured
  std::function<void(std::uint64_t amount)> progress;
  std::function<void()> end;
};

/// What a person is told, by the act that is the first to see it.
inline constexpr char kServerReplaced[] =
    "a server is not the one that was copied: everything is verified again";

/// A sequence of the target that must be ahead of one of the source.
struct AdvancedSequence {
  std::uint32_t source = 0, target = 0;  ///< their oids
  bool descends = false;
  std::int64_t least = 0, most = 0;  ///< of the target's
};

/// Where nothing is blocked, nothing is done that the journal could not be told before.
struct JournalFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Carries out a plan: each act as reshard/step.hpp orders them, against real databases and
/// routers. Everything that it knows is in the journal or the databases, so that it may end
/// anywhere. Lives on one thread.
class Executor {
 public:
  enum class End : std::uint8_t { finished, aborted, paused, stopped };

  /// `routers`: that serve the plan's ring; they outlive this. `ring`: the one that the plan begins
  /// from, or that it ends with. `interrupted`: asked often;
  /// true: end where that may be waited with. `by_force`: ends another coordinator of the plan.
  Executor(Journal& journal, Routers& routers, const ring::Ring& ring, Watcher watcher,
           std::function<bool()> interrupted, bool by_force);

  /// Throws NotCoordinator; whatever else goes wrong is tried again, or ends it as `stopped`.
  End run();
  /// Backs the plan out before its commit, and ends it. `finished` where it is too late.
  End abort();

  /// Of a plan that is over, and still holds the site's lock: its hook is run again. False: it is
  /// held still.
  bool give_lock_back_again();

  /// Where it is interrupted, the plan is not paused: another coordinator is to go on with it.
  void hand_over() { hands_over_ = true; }

  /// For rehearsals: the process ends, as if killed, before or after that act; or stops.
  struct Crash {
    std::optional<Act> before, behind;
    std::optional<Act> stop_before;  ///< as if stopped by a signal; it goes on by another
  };
  void crash_at(Crash where) { crash_ = where; }

  [[nodiscard]] const State& state() const { return state_; }
  /// The last block: from the routers' being told to hold writes to their being told to go on.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> block_time() const {
    return figures_.block;
  }

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] bool may_end_here() const;
  [[nodiscard]] bool row_decides() const;
  void record(const std::string& event, bool first = false);
  bool recorded(const std::string& event, bool first = false);
  void show();
  void count_what_is_told();
  [[nodiscard]] std::uint64_t rows_that_move(const Table& table) const;
  std::optional<End> before_act();
  void take_settings();
  Outcome perform(Act act);
  Outcome tried(Act act);
  Outcome wait_for(Act act, const std::string& what);
  void failed(Act act, const std::string& why);

  // acts_take_over.cpp
  Outcome take_over();
  bool know_again(const std::optional<State>& memory);
  [[nodiscard]] Tenure tenure();
  void take_side(Database& side);
  void take_for(Act act);
  void keep_source_open();
  void confirm();
  // acts_schema.cpp
  Outcome make_schema();
  Outcome arm();
  Outcome wait_armed();
  Outcome wait_barrier(bool in_cutover);
  void note_older_writers();
  void wait_for_older_writers(Database& side, const std::vector<std::string>& older);
  // acts_copy.cpp
  Outcome copy();
  void pump_beside_copy();
  [[nodiscard]] CopiedVnodes copied_vnodes() const;
  Outcome pump();
  std::uint64_t cycle(Pump& pump);
  // acts_verify.cpp
  Outcome verify();
  // acts_routers.cpp
  Outcome bind();
  Outcome prepare();
  Outcome block();
  Outcome activate();
  Outcome unblock();
  Outcome drop_pending();
  void settle(Act act);
  std::uint64_t statements_before(Database& side, std::chrono::milliseconds ago);
  std::uint64_t reads_before(Database& side, const Ownership& router, std::uint64_t said);
  // acts_cutover.cpp
  Outcome fence();
  Outcome pump_last();
  Outcome advance_sequence();
  Outcome wait_flushed();
  Outcome compare_servers();
  Outcome commit();
  Outcome wait_commit_flushed();
  Outcome commit_target();
  // acts_end.cpp
  Outcome back_out();
  Outcome abort_plan();
  Outcome clean_target();
  // acts_log.cpp
  bool measure_log(Database& side);
  void bound_log();
  // acts_soak.cpp
  Outcome soak();
  Outcome finalize();
  void count_soak();
  ComparedSides soaking_sides();
  std::uint64_t keep_current();
  void look_for_way_back();
  void no_way_back(const std::string& why);
  bool source_is_silent(int process, backends::postgres::Session& other,
                        std::chrono::milliseconds waited);
  // acts_clean.cpp
  Outcome begin_cleanup();
  Outcome clean();
  void await_end_flushed();
  Outcome end_cleanup();

  void create_triggers(Database& database, const std::string& sql, const std::string& table);
  void create_row_triggers(Database& database, const Table& table);
  void make_schema_at(Database& database);
  void make_rows();
  void make_bucket_at_target(const BucketConfig& config);
  // acts_definition.cpp
  Definitions& definitions(backends::postgres::Session& source);
  [[nodiscard]] std::uint64_t parts_made() const;
  [[nodiscard]] std::optional<DefinitionPart> last_part_made() const;
  void note_parts(DefinitionPart last);
  std::set<std::uint32_t> made_tables();
  void write_definitions(const std::vector<Relation>& relations);
  void add_relations(const Table& source, bool all, std::vector<Relation>& relations);
  std::vector<Relation> missing_at_target(const std::vector<BucketConfig>& configs, bool all);
  void make_tables(const std::vector<BucketConfig>& configs);
  void complete_tables(DefinitionPart part, bool again = false);
  void make_parts(DefinitionPart last, backends::postgres::Session& source);
  void leave_tables_whole();
  using UnlikeTables = std::vector<std::pair<TablePair, std::vector<Unlikeness>>>;
  UnlikeTables unlike_tables();
  std::string harm_of(const UnlikeTables& unlike);
  void require_alike();
  void look_at_soaking_tables();
  // acts_renew.cpp
  void leave_to_renewal(const UnlikeTables& unlike);
  void renew_tables();
  void store_alike(const UnlikeTables& unlike);
  void require_alone_at_target(const Table& target);
  void drop_for_renewal(const Table& target);
  void read_tables();
  bool require_not_owned(Database& side);
  void require_left();
  void before_copy();
  void wait_for_keeper();
  void drop_strays(const Table& target);
  [[nodiscard]] std::vector<Relation> table_names(Role role) const;
  std::array<std::string, 2> versions();
  void note_tables();
  void require_tables();
  void require_watched();
  void look_at_tables();
  [[nodiscard]] std::string unexplained(const Verification& found) const;
  void open_target();
  bool source_there();
  void end_log(Database& side);
  [[nodiscard]] bool gate_open(const std::string& gate);
  void say_waiting(const std::string& what);
  void rest(std::chrono::milliseconds time = std::chrono::milliseconds(200));
  void require_state(bool good, Database& where, const char* wanted);
  [[nodiscard]] std::vector<VnodeGroup> groups(const Table& table, std::uint64_t rows,
                                               std::uint64_t vnodes_left_out = 0) const;
  void compare_written();
  void repair(const std::vector<DifferingRow>& rows, std::uint64_t before);
  [[nodiscard]] std::array<ServerIdentity, 2> identities();
  bool wait_for_caches();
  void count_copied();
  void verify_counts();
  ring::VnodeSet owned_by_target(const ring::VnodeSet& vnodes);
  void drop_copied(const ring::VnodeSet& vnodes);
  // acts_sequences.cpp
  void read_serials();
  void advance_sequences();
  void require_budget() const;
  [[nodiscard]] std::chrono::milliseconds budget_left() const;
  void unlimit();
  void flush(Database& side, const std::string& what);
  // acts_hooks.cpp
  void run_hook(const std::string& phase, std::uint64_t holders);
  void hook(const std::string& phase);
  std::uint64_t lock_turn(const std::string& state);
  void take_lock();
  bool give_lock_back(const std::string& phase);
  // acts_dump_lock.cpp
  void take_dump_lock();
  [[noreturn]] void wait_for_lock(const std::string& what);
  void wait_for_dumps();
  bool give_dump_lock_back();
  void look_at_lock_age();
  void drop_ask(const std::string& what);
  [[nodiscard]] bool stop_asked() const;
  [[nodiscard]] bool pause_asked() const;

  Journal& journal_;
  Plan plan_;  // with the options in force
  const ring::Ring& ring_;
  Watcher watcher_;
  std::function<bool()> interrupted_;
  std::function<bool()> ended_by_person_;  ///< the same, also while a plan is aborted
  bool by_force_;

  State state_, recorded_;
  bool aborting_ = false;
  bool hands_over_ = false;
  bool lock_given_back_ = false;  ///< or it was tried, by this coordinator
  bool ours_ = false;             // the locks are held, so that the journal is this coordinator's
  bool was_ours_ = false;         // at some time
  bool unrecorded_ = false;       // the journal lacks something that this coordinator knows
  bool opened_ = false;           // the act that is being done has ended the block
  std::string journal_problem_;   // not empty: the last record failed
  std::string journal_lost_;      // not empty: the server that it should be kept at was lost
  /// An ask to pause that was there before this coordinator was: another one's.
  std::optional<std::string> others_pause_;
  SiteLockLook site_lock_;
  Database source_, target_;
  Routers& routers_;
  Pump forward_, reverse_;
  std::map<Act, int> failures_;  // since the act was last done
  int cutovers_failed_ = 0;
  bool target_open_ = false;  // its row was seen to be committed, by this epoch
  bool undropped_ = false;    // a router did not answer when it was told to drop the plan's ring
  bool ids_kept_ = false;     // rows keep their ids at the target: as its row says
  int rebound_ = 0;           // rings bound since a prepare went well
  std::string waiting_for_, left_at_target_, settings_problem_;
  Clock::time_point tables_looked_at_{}, soak_looked_at_{}, pump_beside_copy_at_{},
      log_measured_at_{};
  bool log_alarmed_ = false, renewal_asked_ = false;
  std::optional<Definitions> definitions_;  // once its programs are found
  std::set<std::string> told_unlike_, renewed_for_;
  std::vector<AdvancedSequence> sequences_;
  std::vector<Relation> orders_;  // tables of one number, by which writes of a bucket take turns
  std::optional<std::string> end_logged_at_;  // where the source's log was; empty: it was on disk
  std::array<ServerIdentity, 2> flushed_;     // of the servers that have everything on disk
  std::string stop_reason_;
  std::optional<Clock::time_point> block_began_, committed_, soak_end_, tried_back_;
  Clock::time_point named_at_{};  // somebody whose lock is waited for
  Doubts doubts_;
  PlanFigures figures_;
  std::optional<HookTimes> hook_times_;  // none: to be read from the journal
  std::vector<std::pair<Act, std::chrono::nanoseconds>>
      block_acts_;  // what the block's time went to
  std::optional<Clock::time_point> lag_small_since_;
  Clock::time_point shown_{}, settings_read_{};
  Crash crash_;
};

}  // namespace reshard
