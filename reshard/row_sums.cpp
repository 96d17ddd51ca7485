#include "reshard/row_sums.hpp"

#include "reshard/rows.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;

VnodeSums sums_in(const Rows& rows) {
  VnodeSums sums;
  for (int i = 0; i < rows.count(); ++i)
    sums[std::stoull(rows.string(i, 0))] = {std::stoull(rows.string(i, 1)), rows.string(i, 2)};
  return sums;
}

}  // namespace

std::pair<std::string, std::string> digests_sql(const TablePair& tables, const std::string& where) {
  const std::string digests =
      "SELECT t._key AS key, " + row_digest(tables.source, "t") + " AS digest FROM ";
  return {digests + tables.source.name + " t WHERE " + where,
          digests + tables.target.name + " t WHERE " + where};
}

std::map<std::string, std::string> digests_of(const Rows& rows) {
  std::map<std::string, std::string> digests;
  for (int i = 0; i < rows.count(); ++i) digests.emplace(rows.text(i, 0), rows.text(i, 1));
  return digests;
}

std::pair<Rows, Rows> ask_both(Session& one, Session& other,
                               const std::pair<std::string, std::string>& sql,
                               const backends::postgres::Parameters& values) {
  one.send(sql.first, values);
  other.send(sql.second, values);
  Rows here = one.receive();
  return {std::move(here), other.receive()};
}

std::pair<VnodeSums, VnodeSums> sums_of(Session& one, Session& other, const TablePair& tables,
                                        const VnodeGroup& group) {
  const std::string sum =
      "SELECT v, count(*), sum(('x' || substr(digest, 1, 15))::bit(60)::bigint) FROM (SELECT "
      "t._vnode AS v, " +
      row_digest(tables.source, "t") + " AS digest FROM ";
  const std::string where = " t WHERE t._vnode = ANY(" + group_sql(group) + ")) r GROUP BY v";
  const auto both =
      ask_both(one, other, {sum + tables.source.name + where, sum + tables.target.name + where});
  return {sums_in(both.first), sums_in(both.second)};
}

}  // namespace reshard
