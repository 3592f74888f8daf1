<?xml version="1.0" encoding="UTF-8"?>
<!-- Licensed under the Apache License, Version 2.0; see LICENSE.

     manual.xsl: a page of HTML from the manual of a module, in the form of httpd's modulesynopsis. It knows the elements
     that mod_proxy_mirror.xml has; `make docs` stops at one that it does not know. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>
<xsl:strip-space elements="modulesynopsis directivesynopsis contextlist section ul ol dl table tr"/>

<xsl:template match="/modulesynopsis">
<html lang="en">
<head>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title><xsl:value-of select="name"/> - Apache HTTP Server</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
h1, h2, h3 { line-height: 1.2; margin: 1.6em 0 .5em }
h2 { border-top: 1px solid #bbb; padding-top: .8em }
code, pre { font-family: monospace; font-size: .95em; background: #f3f3f3 }
pre { padding: .6em .8em; overflow-x: auto }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border: 1px solid #ccc; padding: .25em .6em; text-align: left; vertical-align: top }
th { background: #eee }
.wide { overflow-x: auto }
.note { border-left: 4px solid #c60; padding: .1em 1em; background: #fff6ec }
nav ul { columns: 2 }
</style>
</head>
<body>
<h1>Apache Module <xsl:value-of select="name"/></h1>
<table>
<xsl:apply-templates select="description|status|identifier|sourcefile|compatibility" mode="row"/>
</table>
<xsl:apply-templates select="summary"/>
<nav>
<h2>Topics</h2>
<ul><xsl:for-each select="section"><li><a href="#{@id}"><xsl:apply-templates select="title/node()"/></a></li></xsl:for-each></ul>
<h2>Directives</h2>
<ul><xsl:for-each select="directivesynopsis">
<xsl:sort select="name"/>
<li><a href="#{translate(name, $upper, $lower)}"><xsl:value-of select="name"/></a></li>
</xsl:for-each></ul>
<xsl:if test="seealso"><h2>See also</h2><ul><xsl:apply-templates select="seealso"/></ul></xsl:if>
</nav>
<xsl:apply-templates select="section"/>
<xsl:apply-templates select="directivesynopsis"><xsl:sort select="name"/></xsl:apply-templates>
</body>
</html>
</xsl:template>

<xsl:variable name="upper" select="'ABCDEFGHIJKLMNOPQRSTUVWXYZ'"/>
<xsl:variable name="lower" select="'abcdefghijklmnopqrstuvwxyz'"/>

<!-- what stands at the top of a module or a directive -->
<xsl:template match="*" mode="row">
<tr>
<th>
<xsl:choose>
<xsl:when test="self::sourcefile">Source file</xsl:when>
<xsl:when test="self::identifier">Module identifier</xsl:when>
<xsl:when test="self::contextlist">Context</xsl:when>
<xsl:otherwise>
<xsl:value-of select="translate(substring(local-name(), 1, 1), $lower, $upper)"/>
<xsl:value-of select="substring(local-name(), 2)"/>
</xsl:otherwise>
</xsl:choose>
</th>
<td>
<xsl:choose>
<xsl:when test="self::syntax or self::default"><code><xsl:apply-templates/></code></xsl:when>
<xsl:when test="self::contextlist">
<xsl:for-each select="context"><xsl:if test="position() > 1">, </xsl:if><xsl:value-of select="."/></xsl:for-each>
</xsl:when>
<xsl:otherwise><xsl:apply-templates/></xsl:otherwise>
</xsl:choose>
</td>
</tr>
</xsl:template>

<xsl:template match="directivesynopsis">
<h2 id="{translate(name, $upper, $lower)}"><xsl:value-of select="name"/> Directive</h2>
<table>
<xsl:apply-templates select="description|syntax|default|range|contextlist|status|compatibility" mode="row"/>
</table>
<xsl:apply-templates select="usage"/>
<xsl:if test="seealso"><h3>See also</h3><ul><xsl:apply-templates select="seealso"/></ul></xsl:if>
</xsl:template>

<xsl:template match="section"><section id="{@id}"><xsl:apply-templates/></section></xsl:template>
<xsl:template match="modulesynopsis/section/title"><h2><xsl:apply-templates/></h2></xsl:template>
<xsl:template match="section/title"><h3><xsl:apply-templates/></h3></xsl:template>

<xsl:template match="summary|usage"><xsl:apply-templates/></xsl:template>
<xsl:template match="seealso"><li><xsl:apply-templates/></li></xsl:template>
<xsl:template match="example"><xsl:apply-templates/></xsl:template>
<xsl:template match="highlight|pre"><pre><xsl:apply-templates/></pre></xsl:template>
<xsl:template match="note"><div class="note"><p><xsl:apply-templates/></p></div></xsl:template>
<xsl:template match="table"><div class="wide"><table><xsl:copy-of select="@id"/><xsl:apply-templates/></table></div></xsl:template>
<xsl:template match="module"><code><xsl:value-of select="."/></code></xsl:template>
<xsl:template match="br"><br/></xsl:template>
<!-- a directive of this page is a link -->
<xsl:template match="directive">
<xsl:variable name="named" select="string(.)"/>
<xsl:choose>
<xsl:when test="/modulesynopsis/directivesynopsis[name = $named]">
<a href="#{translate(., $upper, $lower)}"><code><xsl:value-of select="."/></code></a>
</xsl:when>
<xsl:otherwise><code><xsl:value-of select="."/></code></xsl:otherwise>
</xsl:choose>
</xsl:template>

<xsl:template match="p|ul|ol|li|dl|dt|dd|tr|th|td|code|var|em|strong|a|sub|sup">
<xsl:element name="{local-name()}"><xsl:copy-of select="@href|@id"/><xsl:apply-templates/></xsl:element>
</xsl:template>

<xsl:template match="*">
<xsl:message terminate="yes">manual.xsl: unknown element <xsl:value-of select="local-name()"/></xsl:message>
</xsl:template>
</xsl:stylesheet>
