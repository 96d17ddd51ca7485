#include "backends/postgres/postgres_shard.hpp"

#include <random>

#include <boost/asio/post.hpp>

#include "backends/postgres/postgres_operation.hpp"
#include "fast/error_payload.hpp"
#include "json/document.hpp"
#include "objects/arguments.hpp"
#include "objects/errors.hpp"
#include "objects/text.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;

constexpr std::chrono::milliseconds kReadyAgain{250};

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What a worker reads requests in; the memory of usual ones is kept.
struct Reading {
  static constexpr std::size_t kBytesKept = 1 << 20;
  std::string text;
  json::Document document;
};

JsArray arguments_of(const Request& request) {
  thread_local std::unique_ptr<Reading> reading;
  if (!reading) reading = std::make_unique<Reading>();
  reading->text.clear();
  for (const std::string_view piece : request.pieces) reading->text += piece;
  JsArray arguments;
  if (!reading->document.parse(reading->text)) {
    const auto d = reading->document.root().find("d");
    if (d && d->is(json::Type::array)) arguments = std::move(*objects::parse_value(*d).array());
  }
  if (reading->text.size() > Reading::kBytesKept) reading.reset();
  return arguments;
}

/// options.timeout. Checked as arguments are; a limit that PostgreSQL can't count is none.
std::optional<std::uint32_t> statement_limit(Rpc rpc, const JsArray& arguments) {
  if (arguments.empty()) return std::nullopt;
  const objects::JsValue& options = rpc == Rpc::get_bucket ? arguments.front() : arguments.back();
  const objects::JsValue* timeout = options.get("timeout");
  const double* number = timeout == nullptr ? nullptr : timeout->number();
  if (number == nullptr || *number < 0) return std::nullopt;
  return *number > 2e9 ? 0 : static_cast<std::uint32_t>(*number);
}

/// Perhaps, as a part of it.
bool goes_by_filter(Rpc rpc) {
  return rpc == Rpc::find_objects || rpc == Rpc::update_objects || rpc == Rpc::delete_many ||
         rpc == Rpc::batch;
}

bool needs_database(Rpc rpc) { return rpc != Rpc::version && rpc != Rpc::get_tokens; }

objects::Result<JsArray> without_database(Rpc rpc) {
  if (rpc != Rpc::version) return objects::errors::operation_not_supported();
  JsObject version;
  version.set("version", 2);
  return JsArray{std::move(version)};
}

}  // namespace

bool waits_for_database(Rpc rpc) {
  return needs_database(rpc) && rpc != Rpc::listen && rpc != Rpc::unlisten;
}

std::optional<std::string> problem_of_url(const std::string& url) {
  char* said = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &said);
  if (options != nullptr) {
    PQconninfoFree(options);
    return std::nullopt;
  }
  std::string problem = said == nullptr ? "out of memory" : said;
  PQfreemem(said);
  // libpq quotes what it can't read, which may be a password.
  problem.erase(std::min(problem.find(": \""), problem.size()));
  while (!problem.empty() && problem.back() == '\n') problem.pop_back();
  return problem;
}

PostgresShard::PostgresShard(boost::asio::io_context& loop, PostgresShardOptions options)
    : loop_(loop), options_(std::move(options)), pool_(std::make_unique<Pool>(loop, options_.pool)),
      buckets_(options_.bucket_changes), ready_timer_(loop), paused_timer_(loop),
      random_(std::random_device{}()) {
  pool_->on_points_changed([this] { begin_waiting(); });
  make_ready();
}

/// Operations end as their connections do; nobody is told any more.
PostgresShard::~PostgresShard() {
  lifetime_.end();
  for (auto& [number, operation] : operations_) operation->sink = nullptr;
  stop_listeners();
  take_back_changes();
  pool_.reset();
}

/// A database that no moray has used lacks the table of buckets. It is made here. If the server
/// refuses that (two that make it at once may both fail; a role may lack the right), requests will
/// show whether it is there; if the server can't be reached, it is tried again. The first attempt
/// is over when requests have a connection to go over, or none can be had: not before that, however
/// late it is.
Detached PostgresShard::make_ready() {
  static const Statement kMake = once(
      "CREATE TABLE IF NOT EXISTS buckets_config (name TEXT PRIMARY KEY, index TEXT NOT NULL, pre "
      "TEXT NOT NULL, post TEXT NOT NULL, "
      "options TEXT, mtime TIMESTAMP WITHOUT TIME ZONE DEFAULT now() NOT NULL, reindex_active "
      "TEXT)");
  const Lifetime::Watch watch = lifetime_.watch();
  bool lost = true;
  {
    const Pool::Lease lease = co_await pool_->exclusive(false);
    Connection* connection = nullptr;
    if (lease) {
      connection = &*lease;
    } else if (!watch.over()) {
      co_await pool_->tried();
      if (!watch.over())
        connection =
            pool_->point(0);  // the server may have had room for that one, and none for more
    }
    if (connection != nullptr) {
      const QueryResult result = co_await connection->run(kMake, Parameters());
      lost = result.error && result.error->lost();
    }
  }
  if (!watch.over()) co_await pool_->tried();
  if (watch.over()) co_return;
  ready_ = !lost;
  starting_ = false;
  for (const auto& operation : std::exchange(first_, {})) run(operation);
  if (ready_ || retired_) co_return;
  ready_timer_.expires_after(kReadyAgain);
  ready_timer_.async_wait(lifetime_.guard([this](const boost::system::error_code& error) {
    if (!error) make_ready();
  }));
}

Submitted PostgresShard::submit(const Request& request, ReplySink& sink) {
  if (retired_) return {std::nullopt, {FailureKind::no_connections, "no connections available"}};
  if (operations_.size() >= options_.in_flight_max)
    return {std::nullopt, {FailureKind::overloaded, "too many requests in flight to the database"}};
  const bool wait =
      starting_ && waits_for_database(request.rpc);  // for the outcome of the first attempt alone
  if (!wait && !healthy() && waits_for_database(request.rpc))
    return {std::nullopt, {FailureKind::no_connections, "no connections available"}};
  auto operation = std::make_shared<Operation>(*pool_, buckets_);
  operation->number = next_number_++;
  operation->rpc = request.rpc;
  operation->arguments = arguments_of(request);
  operation->sink = &sink;
  Work& work = operation->work;
  work.affinity = request.affinity;
  if (goes_by_filter(request.rpc)) work.ring = request.ring;
  work.lease = request.lease;
  work.now_ms = now_us() / 1000;
  work.random = random_ = random_ * 6364136223846793005u + 1442695040888963407u;
  work.streaming = &operation->streaming;
  work.stop = &operation->stop;
  work.given_up = &operation->given_up;
  work.listeners = options_.listeners.get();
  work.statement_limit_ms = statement_limit(request.rpc, operation->arguments);
  work.emit = [this, weak = std::weak_ptr<Operation>(operation)](std::string value) {
    const auto self = weak.lock();
    if (self == nullptr || self->sink == nullptr) return false;
    emit(*self, std::move(value));
    deliver(self);
    return self->paused;
  };
  if (request.two_steps) {
    // By way of the loop: the sink may decide at once.
    operation->steps.emplace([this, weak = std::weak_ptr<Operation>(operation)] {
      boost::asio::post(loop_, lifetime_.guard([weak] {
        const auto self = weak.lock();
        if (self != nullptr && self->sink != nullptr) self->sink->on_ready();
      }));
    });
    work.steps = &*operation->steps;
  }
  operations_.emplace(operation->number, operation);
  if (wait)
    first_.push_back(operation);
  else if (must_wait(*operation) || has_line(*operation))
    stand_in_line(operation);
  else
    run(operation);
  operation->starting = false;
  if (!operation->data.empty() || operation->ended != Operation::End::none)
    boost::asio::post(loop_, lifetime_.guard([this, operation] { deliver(operation); }));
  return {Ticket{operation->number}, {}};
}

void PostgresShard::emit(Operation& operation, std::string value) {
  std::string payload;
  fast::append_values_payload(payload, to_string(operation.rpc), now_us(), value);
  operation.data.push_back(std::move(payload));
}

Detached PostgresShard::run(std::shared_ptr<Operation> operation) {
  using End = Operation::End;
  const Lifetime::Watch watch = lifetime_.watch();
  objects::Result<JsArray> values = JsArray{};
  try {
    if (auto error = objects::check_arguments(to_string(operation->rpc), operation->arguments))
      values = *std::move(error);
    else if (needs_database(operation->rpc))
      values = co_await perform(operation->rpc, operation->work, operation->arguments);
    else
      values = without_database(operation->rpc);
  } catch (const RpcError& failed) {
    values = failed.error;
  } catch (const StatementFailed& failed) {
    if (failed.error.lost()) {
      operation->failure = {FailureKind::connection_lost,
                            "connection to the database was lost: " + failed.error.message};
      operation->ended = End::failure;
    } else {
      if (read_only_server(failed.error) && !watch.over()) pool_->renew(failed.error.message);
      values = error_of(failed.error, operation->work.limit());
    }
  } catch (const NotServed&) {
    operation->failure = {FailureKind::not_served, "its vnodes are not served here now"};
    operation->ended = End::failure;
  } catch (const TooMany& many) {
    operation->failure = {FailureKind::overloaded, many.message};
    operation->ended = End::failure;
  } catch (const NoConnection& none) {
    operation->failure = {FailureKind::no_connections, "no connections available"};
    operation->ended = End::failure;
  }
  if (watch.over()) co_return;
  operation->streaming = nullptr;
  if (operation->ended == End::none) {
    if (values) {
      for (const objects::JsValue& value : *values) emit(*operation, objects::stringify(value));
      fast::append_values_payload(operation->last, to_string(operation->rpc), now_us(), "");
      operation->ended = End::end;
    } else {
      const objects::Error& error = values.error();
      fast::append_error_payload(operation->last, to_string(operation->rpc), now_us(),
                                 {objects::text::well_formed(error.name),
                                  objects::text::well_formed(error.message),
                                  error.context,
                                  error.info,
                                  {}});
      operation->ended = End::error;
    }
  }
  deliver(operation);
}

/// Hands over what waits, as far as the client takes it. A sink may pause or cancel meanwhile.
void PostgresShard::deliver(const std::shared_ptr<Operation>& operation) {
  using End = Operation::End;
  if (operation->starting) return;  // not from inside submit
  while (operation->sink != nullptr && !operation->paused && !operation->data.empty()) {
    const std::string payload = std::move(operation->data.front());
    operation->data.pop_front();
    operation->sink->on_data({payload, std::nullopt, fast::Version::v2});
  }
  if (operation->ended == End::none) return;
  if (operation->sink != nullptr && (operation->paused || !operation->data.empty())) return;
  if (operations_.erase(operation->number) == 0) return;  // told already
  ReplySink* sink = std::exchange(operation->sink, nullptr);
  if (sink == nullptr) return;
  const Reply reply{operation->last, std::nullopt, fast::Version::v2};
  if (operation->ended == End::end) return sink->on_end(reply);
  if (operation->ended == End::error) return sink->on_error(reply);
  sink->on_failure(operation->failure);
}

/// What was accepted goes on, with all the connections that it waits for: the pool ends with us.
void PostgresShard::retire() {
  retired_ = true;
  boost::asio::post(loop_, lifetime_.guard([this] { stop_listeners(); }));
}

ShardStatus PostgresShard::status() const {
  ShardStatus status;
  status.healthy = healthy();
  status.connections = pool_->up();
  status.in_flight = operations_.size();
  status.address = pool_->address();
  status.last_problem = pool_->problem();
  status.out_of_step = pool_->out_of_step();
  return status;
}

}  // namespace backends::postgres
