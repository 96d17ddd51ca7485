// The control's thread, and reload.
#include "router/control/ring_control.hpp"

#include <boost/asio/post.hpp>

#include "ring/generation_store.hpp"
#include "router/log/log.hpp"

namespace router {

RingControl::RingControl(config::Config config, std::string config_file,
                         std::shared_ptr<ShardSources> sources,
                         std::vector<std::unique_ptr<Worker>>& workers, Log& log)
    : config_file_(std::move(config_file)), sources_(std::move(sources)), workers_(workers),
      log_(log), publisher_(workers, log), keep_running_(loop_.get_executor()), lease_timer_(loop_),
      follow_timer_(loop_), await_timer_(loop_),
      config_(std::make_shared<const config::Config>(std::move(config))) {
  status_.ring_location = config_->ring_location;
}

RingControl::~RingControl() { stop(); }

void RingControl::load() {
  Prepared prepared = prepare_for(*config_, load_ring(config_->ring_location));
  publisher_.begin(std::move(prepared.publication), std::move(prepared.opened));
  if (!ring::GenerationStore::is_store(config_->ring_location)) return;
  const std::string pending = ring::GenerationStore(config_->ring_location).pending();
  if (pending.empty()) return;
  log_.warn("a ring was prepared and neither activated nor abandoned; it is not in force",
            {{"pending", pending}});
  update_status([&](ControlStatus& status) { status.left_pending = pending; });
  read_left_pending(pending);
}

void RingControl::start() {
  started_ = true;
  thread_ = std::thread([this] { loop_.run(); });
}

void RingControl::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
  reader_.reset();
}

std::shared_ptr<const config::Config> RingControl::config() const {
  const std::scoped_lock lock(mutex_);
  return config_;
}

ControlStatus RingControl::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

/// Checked and ready to be published, with today's gate. A block names vnodes: of a ring that
/// hashes to others it would mean something else.
Prepared RingControl::prepare_for(const config::Config& config, RingInForce ring) {
  const auto now = publisher_.current();
  std::shared_ptr<const Gate> gate;
  std::uint64_t sequence = 1;
  if (now != nullptr) {
    gate = now->snapshot->gate;
    sequence = now->snapshot->sequence + 1;
    if (gate->any() && now->snapshot->ring->vnode_count() != ring.ring->vnode_count())
      throw Refusal("refused", "vnodes are blocked, and this ring has " +
                                   std::to_string(ring.ring->vnode_count()) +
                                   " vnodes instead of " +
                                   std::to_string(now->snapshot->ring->vnode_count()) +
                                   "; unblock them first");
  }
  return prepare(config, std::move(ring), std::move(gate), *sources_, sequence, log_);
}

RingChange RingControl::put_in_force(Prepared prepared, std::uint64_t changed) {
  RingChange change;
  const auto snapshot = prepared.publication.snapshot;
  change.digest = snapshot->ring->digest();
  change.generation = snapshot->generation;
  change.changed = changed;
  change.published =
      publisher_.publish(std::move(prepared.publication), std::move(prepared.opened));
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  log_.info("ring in force",
            {{"ringDigest", change.digest},
             {"generation", change.generation},
             {"vnodesChanged", changed},
             {"microseconds", duration_cast<microseconds>(change.published.took).count()},
             {"pauseMicroseconds", duration_cast<microseconds>(change.published.pause).count()}});
  return change;
}

RingChange RingControl::unchanged() const {
  return {snapshot().ring->digest(), snapshot().generation, 0, {}};
}

/// What a reload can't change stays as it was, and is named in the log.
config::Config RingControl::read_config() const {
  if (config_file_.empty()) return *config_;
  config::Parsed parsed = config::load_file(config_file_);
  if (!parsed.problems.empty()) throw std::runtime_error(config::to_text(parsed.problems));
  config::Config next = std::move(parsed.config);
  if (config_->electric_moray) {  // its flags are not in the file
    next.listen = config_->listen;
    next.monitor = config_->monitor;
    next.status = config_->status;
    next.ring_location = config_->ring_location;
    next.admin_socket = config_->admin_socket;
  }
  for (const std::string& name : fixed_differences(*config_, next))
    log_.warn("a reload can't change this setting; restart to change it", {{"setting", name}});
  next.listen = config_->listen;
  next.monitor = config_->monitor;
  next.status = config_->status;
  next.admin_socket = config_->admin_socket;
  next.workers = config_->workers;
  next.resolvers = config_->resolvers;
  return next;
}

RingChange RingControl::reload_now(const std::string& ring, const std::string& digest) {
  require_free("reload");
  config::Config next = read_config();
  if (!ring.empty()) next.ring_location = ring;
  Prepared prepared = prepare_for(next, load_ring(next.ring_location));
  const std::string& found = prepared.publication.snapshot->ring->digest();
  if (!digest.empty() && digest != found)
    throw Refusal("refused", "the ring's digest is " + found + ", not " + digest);
  sources_->configure(next);
  log_.set_level(log_level_named(next.log.level));
  const RingChange change = put_in_force(std::move(prepared), 0);
  const std::scoped_lock lock(mutex_);
  status_.ring_location = next.ring_location;
  config_ = std::make_shared<const config::Config>(std::move(next));
  return change;
}

/// All or nothing: what is wrong leaves everything as it was.
void RingControl::reload(std::string ring, std::string digest, Done<RingChange> done) {
  perform_in_background<RingChange>(
      std::move(done), [this, ring = std::move(ring), digest = std::move(digest)] {
        try {
          const RingChange change = reload_now(ring, digest);
          log_.info("reloaded", {{"ringDigest", change.digest}});
          update_status([](ControlStatus& status) {
            status.last_reload = "ok";
            ++status.reloads;
          });
          return change;
        } catch (const std::exception& error) {
          log_.error("reload refused; the old ring and configuration go on serving",
                     {{"reason", error.what()}});
          update_status([&](ControlStatus& status) {
            status.last_reload = std::string("refused: ") + error.what();
            ++status.reloads;
            ++status.reloads_refused;
          });
          throw;
        }
      });
}

}  // namespace router
