#include "backends/postgres/connection.hpp"

#include <boost/asio/post.hpp>

#include "backends/postgres/application_name.hpp"
#include "backends/postgres/session_settings.hpp"

namespace backends::postgres {
namespace {

using boost::system::error_code;

/// As a value of the server's `options`.
void append_setting(std::string& options, const SessionSetting& setting) {
  options.append("-c ").append(setting.name).append("=");
  for (const char c : setting.of_connections) {
    if (c == ' ' || c == '\\') options += '\\';
    options += c;
  }
  options += ' ';
}

/// The settings on which texts of values depend, besides what the operator's `options` say.
/// A pipeline's statements name rows by their keys. Prepared while a table was small, they would
/// keep a plan that reads all of it: there they may not.
std::string session_options(const Connection::Options& wanted) {
  std::string options;
  if (PQconninfoOption* given = PQconninfoParse(wanted.url.c_str(), nullptr)) {
    for (const PQconninfoOption* each = given; each->keyword != nullptr; ++each)
      if (std::string_view(each->keyword) == "options" && each->val != nullptr)
        options = std::string(each->val) + " ";
    PQconninfoFree(given);
  }
  for (const SessionSetting& each : session_settings())
    if (!each.of_connections.empty()) append_setting(options, each);
  if (wanted.mode == Connection::Mode::pipeline) options += "-c enable_seqscan=off ";
  if (wanted.statement_limit.count() > 0)
    options += "-c statement_timeout=" + std::to_string(wanted.statement_limit.count());
  return options;
}

}  // namespace

Connection::Connection(boost::asio::io_context& loop, Options options, std::uint64_t& round_trips,
                       std::function<void()> changed)
    : loop_(loop), options_(std::move(options)), round_trips_(round_trips),
      changed_(std::move(changed)), socket_(loop), limit_(loop) {
  limit_.expires_after(options_.connect_limit);
  limit_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
    if (!error && !alive.expired() && state_ == State::connecting)
      close("connecting took too long");
  });
  // Nothing happens from here: the owner does not have us yet.
  std::vector<Host> hosts = named_hosts(options_.url);
  if (hosts.empty()) {
    boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) connect({});
    });
    return;
  }
  lookup_ = std::make_unique<HostLookup>(
      loop_, std::move(hosts), [this](const std::vector<Host>& found, const std::string& problem) {
        if (found.empty()) return close(problem);
        connect(found);
      });
}

/// `hosts`: of the URL, with their addresses; empty: libpq sees to them.
void Connection::connect(const std::vector<Host>& hosts) {
  if (state_ != State::connecting) return;
  const std::string options = session_options(options_);
  std::string names, addresses, ports;
  for (const Host& host : hosts) {
    const char* comma = &host == &hosts.front() ? "" : ",";
    names += comma + host.name;
    addresses += comma + host.address;
    ports += comma + host.port;
  }
  // What stands before the URL it may override, what stands behind it not.
  // A server that is gone without a word is noticed within a minute.
  const std::string application = application_name();
  std::vector<const char*> keywords{
      "target_session_attrs", "keepalives_idle",  "keepalives_interval",
      "keepalives_count",     "tcp_user_timeout", "dbname",
      "application_name",     "client_encoding",  "options"};
  std::vector<const char*> values{
      "read-write",        "30",   "10",           "3", "60000", options_.url.c_str(),
      application.c_str(), "UTF8", options.c_str()};
  if (!hosts.empty()) {
    keywords.insert(keywords.end(), {"host", "hostaddr", "port"});
    values.insert(values.end(), {names.c_str(), addresses.c_str(), ports.c_str()});
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_ = PQconnectStartParams(keywords.data(), values.data(), 1);
  if (connection_ != nullptr)
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
  poll_connect();
}

Connection::~Connection() {
  changed_ = nullptr;
  close("closed");
}

std::string Connection::error_text() const { return one_line(PQerrorMessage(connection_)); }

std::string Connection::address() const {
  if (connection_ == nullptr || PQhost(connection_) == nullptr) return "";
  return std::string(PQhost(connection_)) + ":" +
         (PQport(connection_) == nullptr ? "" : PQport(connection_));
}

/// libpq may use another socket for each address that it tries, and closes them itself.
void Connection::assign_socket() {
  const int current = PQsocket(connection_);
  if (socket_.is_open() && socket_.native_handle() == current) return;
  if (socket_.is_open()) socket_.release();
  error_code ignored;
  socket_.assign(current, ignored);
}

void Connection::poll_connect() {
  if (state_ != State::connecting) return;
  if (connection_ == nullptr || PQstatus(connection_) == CONNECTION_BAD)
    return close(connection_ == nullptr ? "out of memory" : error_text());
  // libpq may have closed the socket that we wait on: let go of it before.
  if (socket_.is_open()) socket_.release();
  const PostgresPollingStatusType status = PQconnectPoll(connection_);
  if (status == PGRES_POLLING_FAILED) return close(error_text());
  if (status == PGRES_POLLING_OK) return after_connect();
  assign_socket();
  const auto wanted = status == PGRES_POLLING_READING
                          ? boost::asio::posix::stream_descriptor::wait_read
                          : boost::asio::posix::stream_descriptor::wait_write;
  socket_.async_wait(wanted, [this, alive = std::weak_ptr<bool>(alive_)](const error_code&) {
    if (!alive.expired()) poll_connect();
  });
}

void Connection::after_connect() {
  limit_.cancel();
  assign_socket();
  PQsetnonblocking(connection_, 1);
  if (options_.mode == Mode::pipeline) PQenterPipelineMode(connection_);
  state_ = State::up;
  if (options_.mode == Mode::pipeline) compile_nothing();
  wait_readable();
  if (const auto changed = changed_) changed();
}

void Connection::close(const std::string& why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  problem_ = why;
  limit_.cancel();
  if (socket_.is_open()) socket_.release();
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
  fail_all();
  if (!changed_) return;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired())
      if (const auto changed = changed_) changed();
  });
}

void Connection::fail_all() {
  std::deque<std::unique_ptr<Pending>> lost;
  lost.swap(queue_);
  for (const auto& pending : lost) {
    pending->result.rows = Rows();
    // Where the server had given its verdict, that is the answer.
    if (!pending->result.error || pending->result.error->lost())
      pending->result.error = QueryError{"", problem_, ""};
    // Of several, some may have their results: without the last word of the server they count for
    // nothing.
    for (QueryResult& each : pending->results)
      if (!each.error || each.error->lost())
        each = QueryResult{Rows(), QueryError{"", problem_, ""}};
    if (pending->waiting) pending->waiting.resume();
  }
}

void Connection::wait_readable() {
  if (reading_ || held_ || state_ != State::up) return;
  reading_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
                       if (alive.expired()) return;
                       reading_ = false;
                       if (error || state_ != State::up) return;
                       read();
                       if (!alive.expired()) wait_readable();
                     });
}

void Connection::wait_writable() {
  if (writing_ || state_ != State::up) return;
  writing_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
                       if (alive.expired()) return;
                       writing_ = false;
                       if (!error && state_ == State::up) flush();
                     });
}

/// What a turn of the loop has sent goes with one write.
void Connection::want_flush() {
  if (flush_posted_) return;
  flush_posted_ = true;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    flush_posted_ = false;
    if (state_ != State::up) return;
    sync_reads();
    sent_in_turn_ = 0;
    flush();
    if (state_ == State::up) let_go();
  });
}

void Connection::flush() {
  const int left = PQflush(connection_);
  if (left < 0) return close(error_text());
  if (left > 0) wait_writable();  // input is read meanwhile: the server may wait for that
}

void Connection::read() {
  const std::weak_ptr<bool> alive = alive_;
  if (PQconsumeInput(connection_) == 0) {
    const std::string why = error_text();
    take_results();  // what came before the end
    if (!alive.expired()) close(why);
    return;
  }
  take_results();
  if (!alive.expired() && notified_) take_notifications();
  if (!alive.expired() && state_ == State::up && PQstatus(connection_) == CONNECTION_BAD)
    close(error_text());
}

}  // namespace backends::postgres
