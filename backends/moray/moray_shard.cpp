#include "backends/moray/moray_shard.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace backends::moray {
namespace {

constexpr std::uint64_t kWaitingBit = std::uint64_t{1} << 63;
constexpr std::chrono::seconds kHousekeeping{1};

/// A sent request's ticket: its connection's number and its message id there.
Ticket ticket_of(const Connection& connection, std::uint32_t message_id) {
  return Ticket{connection.id() << 31 | message_id};
}

class FixedAddresses final : public AddressSource {
 public:
  explicit FixedAddresses(Addresses addresses) : addresses_(std::move(addresses)) {}
  std::shared_ptr<void> watch(boost::asio::io_context&, Changed changed) override {
    changed(addresses_);
    return nullptr;
  }

 private:
  Addresses addresses_;
};

}  // namespace

std::shared_ptr<AddressSource> fixed_addresses(AddressSource::Addresses addresses) {
  return std::make_shared<FixedAddresses>(std::move(addresses));
}

MorayShard::MorayShard(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
                       MorayShardOptions options)
    : loop_(loop),
      source_(std::move(source)),
      options_(options),
      reconnect_timer_(loop),
      housekeeping_timer_(loop),
      back_off_(options.back_off_least, options.back_off_most),
      random_(std::random_device{}()) {
  watch_ = source_->watch(loop_, [this](const auto& addresses) { addresses_changed(addresses); });
  housekeeping();
}

MorayShard::~MorayShard() {
  for (const Slot& slot : slots_) {
    slot.connection->forget_host();
    slot.connection->close("shard closed", true);
  }
}

Submitted MorayShard::refuse(FailureKind kind, const char* message) const {
  return {std::nullopt, Failure{kind, message, "{}"}};
}

Submitted MorayShard::submit(const Request& request, ReplySink& sink) {
  used_ = true;
  if (retired_) return refuse(FailureKind::no_connections, "no connections available");
  return request.stream ? submit_stream(request, sink) : submit_point(request, sink);
}

Submitted MorayShard::submit_point(const Request& request, ReplySink& sink) {
  Slot* slot = point_slot();
  if (slot != nullptr && slot->connection->state() == Connection::State::up) {
    if (slot->connection->in_flight() >= options_.in_flight_max)
      return refuse(FailureKind::overloaded, "too many requests are in flight to this shard");
    return {send(*slot, request, sink), {}};
  }
  if (slot == nullptr && !reconnect_scheduled_) open(false);
  if (lost_) return refuse(FailureKind::no_connections, "no connections available");
  return wait(request, sink);
}

Submitted MorayShard::submit_stream(const Request& request, ReplySink& sink) {
  if (Slot* slot = free_stream_slot()) return {send(*slot, request, sink), {}};
  if (lost_) {
    if (!reconnect_scheduled_ && point_slot() == nullptr) open(false);
    return refuse(FailureKind::no_connections, "no active connections");
  }
  if (count(true) < options_.stream_connections_max) open(true);
  return wait(request, sink);
}

Submitted MorayShard::wait(const Request& request, ReplySink& sink) {
  if (waiting_.size() >= options_.waiting_max)
    return refuse(FailureKind::overloaded, "too many requests wait for this shard");
  Waiting entry{kWaitingBit | ++next_waiting_, {}, request, &sink};
  for (const std::string_view piece : request.pieces) entry.payload.append(piece);
  entry.request.pieces = {};
  waiting_.push_back(std::move(entry));
  return {Ticket{waiting_.back().ticket}, {}};
}

Ticket MorayShard::send(Slot& slot, const Request& request, ReplySink& sink) {
  return ticket_of(*slot.connection, slot.connection->send(request, sink));
}

void MorayShard::open(bool stream) {
  if (addresses_.empty()) return;
  const auto& address = addresses_[random_() % addresses_.size()];
  slots_.push_back({std::make_shared<Connection>(loop_, address, next_connection_++,
                                                 options_.connection, static_cast<ConnectionHost&>(*this)),
                    stream, false});
  slots_.back().connection->start();
}

void MorayShard::addresses_changed(const AddressSource::Addresses& addresses) {
  addresses_ = addresses;
  addresses_known_ = true;
  for (Slot& slot : slots_) {
    slot.leaving = std::find(addresses_.begin(), addresses_.end(), slot.connection->address()) ==
                   addresses_.end();
    if (slot.leaving && slot.connection->in_flight() == 0) {
      // Not from here: closing changes slots_.
      boost::asio::post(loop_, [gone = slot.connection] { gone->close("address left", false); });
    }
  }
  if (addresses_.empty()) {
    lost_ = true;
    last_problem_ = "no address is known";
    fail_waiting(false);
    fail_waiting(true);
    return;
  }
  if (used_ && point_slot() == nullptr && !reconnect_scheduled_) open(false);
  const bool stream_waits = std::any_of(waiting_.begin(), waiting_.end(),
                                        [](const Waiting& entry) { return entry.request.stream; });
  if (stream_waits && count(true) == 0) open(true);
}

void MorayShard::connected(Connection&) {
  lost_ = false;
  last_problem_.clear();
  back_off_.succeeded();
  serve_waiting();
}

void MorayShard::serve_waiting() {
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    Slot* slot = entry->request.stream ? free_stream_slot() : point_slot();
    if (slot == nullptr || slot->connection->state() != Connection::State::up) {
      ++entry;
      continue;
    }
    const std::string_view pieces[] = {entry->payload};
    entry->request.pieces = pieces;
    aliases_.emplace(entry->ticket, send(*slot, entry->request, *entry->sink).number);
    entry = waiting_.erase(entry);
  }
}

void MorayShard::answered(Connection& connection) {
  Slot* slot = slot_of(connection);
  if (slot == nullptr || connection.in_flight() > 0) return;
  boost::unordered::erase_if(aliases_, [&](const auto& alias) { return alias.second >> 31 == connection.id(); });
  if (slot->leaving || retired_) {
    boost::asio::post(loop_, [gone = slot->connection] { gone->close("no longer needed", false); });
    return;
  }
  if (slot->stream && !waiting_.empty()) serve_waiting();
}

void MorayShard::disconnected(Connection& connection, const std::string& reason) {
  const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& candidate) {
    return candidate.connection.get() == &connection;
  });
  if (slot == slots_.end()) return;
  const bool stream = slot->stream;
  const bool expected = slot->leaving || retired_;
  const auto kept = slot->connection;  // until this call is over
  slots_.erase(slot);
  boost::unordered::erase_if(aliases_, [&](const auto& alias) { return alias.second >> 31 == connection.id(); });
  if (expected) {
    if (!retired_ && !stream && used_ && point_slot() == nullptr) open(false);
    return;
  }
  last_problem_ = reason;
  if (stream && point_slot() != nullptr && count(true) > 0) return;
  fail_waiting(stream);
  if (stream) return;
  lost_ = true;
  fail_waiting(true);
  schedule_reconnect();
}

void MorayShard::fail_waiting(bool stream) {
  std::deque<Waiting> failed, kept;
  for (Waiting& entry : waiting_)
    (entry.request.stream == stream ? failed : kept).push_back(std::move(entry));
  waiting_ = std::move(kept);
  for (const Waiting& entry : failed)
    entry.sink->on_failure({FailureKind::no_connections, "no connections available", "{}"});
}

void MorayShard::schedule_reconnect() {
  if (reconnect_scheduled_ || retired_) return;
  reconnect_scheduled_ = true;
  reconnect_timer_.expires_after(back_off_.next(random_()));
  reconnect_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    reconnect_scheduled_ = false;
    if (!retired_ && point_slot() == nullptr) open(false);
  });
}

/// Streams' connections that nobody used for a while are closed.
void MorayShard::housekeeping() {
  housekeeping_timer_.expires_after(kHousekeeping);
  housekeeping_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const auto long_ago = std::chrono::steady_clock::now() - options_.idle_limit;
    std::vector<std::shared_ptr<Connection>> unneeded;
    for (Slot& slot : slots_)
      if (slot.stream && slot.connection->in_flight() == 0 &&
          slot.connection->state() == Connection::State::up &&
          slot.connection->last_used() < long_ago) {
        slot.leaving = true;
        unneeded.push_back(slot.connection);
      }
    for (const auto& connection : unneeded) connection->close("idle", false);
    housekeeping();
  });
}

MorayShard::Slot* MorayShard::point_slot() {
  for (Slot& slot : slots_)
    if (!slot.stream && !slot.leaving) return &slot;
  return nullptr;
}

MorayShard::Slot* MorayShard::free_stream_slot() {
  for (Slot& slot : slots_)
    if (slot.stream && !slot.leaving && slot.connection->state() == Connection::State::up &&
        slot.connection->in_flight() == 0)
      return &slot;
  return nullptr;
}

MorayShard::Slot* MorayShard::slot_of(const Connection& connection) {
  for (Slot& slot : slots_)
    if (slot.connection.get() == &connection) return &slot;
  return nullptr;
}

std::size_t MorayShard::count(bool stream) const {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.stream == stream; }));
}

Connection* MorayShard::connection_of(Ticket ticket) {
  std::uint64_t number = ticket.number;
  if ((number & kWaitingBit) != 0) {
    const auto alias = aliases_.find(number);
    if (alias == aliases_.end()) return nullptr;
    number = alias->second;
  }
  for (Slot& slot : slots_)
    if (slot.connection->id() == number >> 31) return slot.connection.get();
  return nullptr;
}

bool MorayShard::cancel(Ticket ticket) {
  if (std::erase_if(waiting_, [&](const Waiting& entry) { return entry.ticket == ticket.number; }) > 0)
    return true;
  Connection* connection = connection_of(ticket);
  Slot* slot = connection == nullptr ? nullptr : slot_of(*connection);
  if (slot == nullptr || !slot->stream) return false;
  slot->leaving = true;  // its end is no sign of a sick shard
  connection->close("request given up", true);
  return true;
}

void MorayShard::pause(Ticket ticket) {
  if (Connection* connection = connection_of(ticket)) connection->pause();
}

void MorayShard::resume(Ticket ticket) {
  if (Connection* connection = connection_of(ticket)) connection->resume();
}

void MorayShard::retire() {
  retired_ = true;
  std::vector<std::shared_ptr<Connection>> unneeded;
  for (Slot& slot : slots_) {
    slot.leaving = true;
    if (slot.connection->in_flight() == 0) unneeded.push_back(slot.connection);
  }
  for (const auto& connection : unneeded) connection->close("shard left the ring", false);
  fail_waiting(false);
  fail_waiting(true);
}

bool MorayShard::idle() const { return retired_ && slots_.empty() && waiting_.empty(); }

bool MorayShard::healthy() const { return !retired_ && !lost_; }

ShardStatus MorayShard::status() const {
  ShardStatus status;
  status.healthy = healthy();
  for (const Slot& slot : slots_) {
    status.connections += slot.connection->state() == Connection::State::up ? 1u : 0u;
    status.in_flight += slot.connection->in_flight();
  }
  status.in_flight += waiting_.size();
  for (const auto& address : addresses_) {
    if (!status.address.empty()) status.address += ", ";
    status.address += address.address().to_string() + ":" + std::to_string(address.port());
  }
  status.last_problem = last_problem_;
  return status;
}

}  // namespace backends::moray
