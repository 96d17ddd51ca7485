// The control's threads, and how what the machine asks for is done.
#include "router/control/ring_control.hpp"

#include <utility>

#include "ring/generation_store.hpp"
#include "router/log/log.hpp"

namespace router {
namespace {

/// While there is something to wait for: the system may have been suspended, which timers don't
/// count and leases do.
constexpr std::chrono::milliseconds kLookEach{50};

/// Pnodes that the ring in force lacks are connected before their vnodes come.
std::vector<ShardSpec> newcomers(const std::vector<ShardSpec>& now,
                                 const std::vector<ShardSpec>& next) {
  std::vector<ShardSpec> result;
  for (const ShardSpec& spec : next)
    if (std::none_of(now.begin(), now.end(),
                     [&](const ShardSpec& known) { return known.same_shard(spec); }))
      result.push_back(spec);
  return result;
}

}  // namespace

RingControl::RingControl(config::Config config, std::string config_file, ring::Loader elsewhere,
                         std::shared_ptr<ShardSources> sources,
                         std::vector<std::unique_ptr<Worker>>& workers, Log& log)
    : config_file_(std::move(config_file)), stop_loading_(std::move(elsewhere.stop)),
      elsewhere_(std::move(elsewhere.load)), sources_(std::move(sources)), workers_(workers),
      log_(log), thread_("control", log), files_("files", log), looks_("looks", log),
      publisher_(thread_.loop(), workers, log), wake_timer_(thread_.loop()),
      config_(std::make_shared<const config::Config>(std::move(config))) {
  status_.ring_location = config_->ring_location;
}

RingControl::~RingControl() { stop(); }

void RingControl::load() {
  base_ = prepare(*config_, load_ring(config_->ring_location, elsewhere_), *sources_, log_, true);
  machine_.in_force(facts_of(base_.ring));
  publish([](const Published&) {});
  if (!ring::GenerationStore::is_store(config_->ring_location)) return;
  const std::string pending = ring::GenerationStore(config_->ring_location).pending();
  if (!pending.empty()) read_left_pending(pending);
}

void RingControl::start() {
  started_ = true;
  files_.start();
  looks_.start();
  thread_.post([this] { settle(); });
  thread_.start();
}

/// The control's thread first: what others post to it meanwhile is never run.
void RingControl::stop() {
  thread_.stop();
  reader_.reset();
  if (stop_loading_) stop_loading_();
  looks_.stop();
  files_.stop();
}

std::shared_ptr<const config::Config> RingControl::config() const {
  const std::scoped_lock lock(mutex_);
  return config_;
}

ControlStatus RingControl::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

// Changes, as the machine lets them go on.

void RingControl::submit(Change change, Command command) {
  thread_.post([this, change = std::move(change), command = std::move(command)]() mutable {
    change.id = next_command_++;
    commands_.emplace(change.id, std::move(command));
    machine_.submit(std::move(change), lease_clock());
    settle();
  });
}

/// Does all that the machine asks for, and publishes what has changed. Whatever is an event to the
/// machine ends with this.
void RingControl::settle() {
  for (auto asked = machine_.take(); !asked.empty(); asked = machine_.take())
    for (const Ask& each : asked) handle(each);
  if (follow_serving() || unpublished_ || machine_.gate() != gate_published_)
    publish([](const Published&) {});
  wake_later();
}

void RingControl::handle(const Ask& asked) {
  if (const auto* started = std::get_if<ask::Begin>(&asked)) return begin(started->change);
  if (const auto* refused = std::get_if<ask::Refuse>(&asked)) {
    if (const auto command = commands_.extract(refused->change.id))
      command.mapped().refuse(refused->why);
  } else if (const auto* unchanged = std::get_if<ask::Unchanged>(&asked)) {
    if (const auto command = commands_.extract(unchanged->change.id)) command.mapped().unchanged();
  } else if (const auto* row = std::get_if<ask::Row>(&asked)) {
    ask_row(row->ring);
  } else if (const auto* target = std::get_if<ask::Target>(&asked)) {
    ask_target(target->ring);
  } else if (std::holds_alternative<ask::Settled>(asked)) {
    tidy_store(ring().digest());
  } else if (std::holds_alternative<ask::ServeFreely>(asked)) {
    if (leased_ == nullptr) return;
    // What was planned under the lease, and waits still to be sent, may be sent whenever it can.
    leased_->lease->set_end(std::chrono::nanoseconds::max());
    leased_ = nullptr;
    unpublished_ = true;
  } else if (const auto* expired = std::get_if<ask::LeaseExpired>(&asked)) {
    log_.error(
        "a coordinator's lease has run out; its held vnodes refuse writes until they are unblocked",
        {{"generation", expired->ring.generation},
         {"plan", expired->ring.plan},
         {"vnodes", expired->held}});
    update_status([](ControlStatus& status) { ++status.leases_expired; });
  } else if (const auto* overdue = std::get_if<ask::Overdue>(&asked)) {
    log_.error(
        "a plan's ring is in force, and its coordinator is silent; vnodes that are held for it "
        "refuse writes until their target takes them",
        {{"generation", overdue->ring.generation},
         {"plan", overdue->ring.plan},
         {"vnodes", overdue->held}});
    update_status([](ControlStatus& status) { ++status.leases_expired; });
  } else if (const auto* opened = std::get_if<ask::Opened>(&asked)) {
    log_.warn("vnodes unblocked without their coordinator",
              {{"vnodes", opened->vnodes.size()}, {"reason", opened->why}});
  } else if (const auto* told = std::get_if<ask::Tell>(&asked)) {
    const auto& ring = told->ring;
    if (told->error)
      log_.error(told->text,
                 {{"plan", ring.plan}, {"pnode", ring.from}, {"ringDigest", ring.digest}});
    else
      log_.warn(told->text, {{"plan", ring.plan}});
  }
}

void RingControl::begin(const Change& change) {
  try {
    if (auto command = commands_.extract(change.id)) {
      under_way_ = std::move(command.mapped());
      return run(under_way_->begin());
    }
    // The plan's row has asked for it: nobody is told but the log.
    const PendingRing ring = *machine_.pending().ring();
    under_way_ = Command{
        {},
        [this, plan = ring.plan](const Refusal& refusal) {
          log_.error("what a plan of resharding has come to can't be followed; it is tried again",
                     {{"plan", plan}, {"reason", refusal.what()}});
        },
        {}};
    run(change.kind == Change::Kind::decided ? decided_work(ring) : withdraw_work([] {}));
  } catch (const Refusal& refusal) {
    failed(refusal);
  } catch (const std::exception& error) {
    failed(Refusal("refused", error.what()));
  }
}

/// Before clients are served there is nobody to wait, and one thread.
void RingControl::run(Work work) {
  const auto done = [work = std::move(work)]() -> std::variant<Finish, Refusal> {
    try {
      return work();
    } catch (const Refusal& refusal) {
      return refusal;
    } catch (const std::exception& error) {
      return Refusal("refused", error.what());
    }
  };
  const auto end = [this](const std::variant<Finish, Refusal>& outcome) {
    if (const auto* refusal = std::get_if<Refusal>(&outcome))
      failed(*refusal);
    else
      finish(std::get<Finish>(outcome));
  };
  if (!started_) return end(done());
  files_.post([this, done, end] {
    thread_.post([this, end, outcome = done()] {
      end(outcome);
      settle();
    });
  });
}

void RingControl::finish(const Finish& finish) {
  try {
    finish();
  } catch (const Refusal& refusal) {
    failed(refusal);
  } catch (const std::exception& error) {
    failed(Refusal("refused", error.what()));
  }
}

void RingControl::failed(const Refusal& refusal) {
  const auto command = std::exchange(under_way_, std::nullopt);
  if (machine_.busy()) machine_.ended(lease_clock());
  if (command) command->refuse(refusal);
}

// What workers go by.

/// The lease's end is written where workers read it; true: other vnodes are served under one.
bool RingControl::follow_serving() {
  const auto& serving = machine_.serving();
  if (!serving) return std::exchange(leased_, nullptr) != nullptr;
  if (leased_ != nullptr && leased_->vnodes == serving->vnodes) {
    leased_->lease->set_end(serving->until);
    return false;
  }
  leased_ = LeasedVnodes::of(ring(), serving->vnodes, serving->until);
  return true;
}

/// Ring, gate and leases as they are now.
void RingControl::publish(Publisher::Told told) {
  for (const Ask& each : machine_.take()) handle(each);
  follow_serving();
  gate_published_ = machine_.gate();
  unpublished_ = false;
  auto snapshot =
      std::make_shared<Snapshot>(Snapshot::make(base_.ring.ring, base_.settings, gate_with_fleets(),
                                                leased_ != nullptr ? leased_ : fleet_leased_));
  snapshot->generation = base_.ring.generation;
  snapshot->sequence = ++sequence_;
  update_status([any = snapshot->gate->any()](ControlStatus& status) {
    if (!any)
      status.blocked_since.reset();
    else if (!status.blocked_since)
      status.blocked_since = std::chrono::system_clock::now();
  });
  Publication next = base_.publication;
  next.snapshot = std::move(snapshot);
  auto opened = base_.opened;
  if (staged_) {
    next.warm = newcomers(next.shards, staged_->prepared.publication.shards);
    opened.insert(opened.end(), staged_->prepared.opened.begin(), staged_->prepared.opened.end());
  } else if (fleet_staged_) {
    const Prepared& staged = fleet_staged_->prepared;
    next.warm = newcomers(next.shards, staged.publication.shards);
    opened.insert(opened.end(), staged.opened.begin(), staged.opened.end());
  }
  if (started_) return publisher_.publish(std::move(next), std::move(opened), std::move(told));
  publisher_.begin(std::move(next), std::move(opened));
  told(Published());
}

void RingControl::wake_later() {
  const auto at = machine_.wake();
  if (!at || !started_) return;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*at - lease_clock());
  wake_timer_.expires_after(
      std::clamp(left + std::chrono::milliseconds(1), std::chrono::milliseconds(0), kLookEach));
  wake_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    machine_.tick(lease_clock());
    settle();
  });
}

}  // namespace router
